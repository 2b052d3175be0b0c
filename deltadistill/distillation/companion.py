"""Training of a small network beside one that stays as it is, on what both together answer."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.data.frames import normalise
from deltadistill.forward.clip_axes import all_frames, later_frames
from deltadistill.forward.outputs import frame_outputs
from deltadistill.tasks.task import Task
from deltadistill.training.batch_extent import BatchExtent
from deltadistill.training.optimised_network import OptimisedNetwork
from deltadistill.training.optimised_trainee import OptimisedTrainee
from deltadistill.training.passes import Batch


@dataclass
class CompanionTraining(OptimisedTrainee):
    """A trainee (see training.loop) on clips; only the companion learns, all else is as it will run.

    optimised: the companion and its optimiser. teacher: the network beside it, in evaluation mode and without
    gradients of its own. The loss is the task's on the labels of a clip's later frames, where there are
    `labels`, and the distance of the output from the teacher's there.
    """

    optimised: OptimisedNetwork
    teacher: nn.Module
    task: Task
    tune_score: Callable[[Callable[[], None]], float]
    labels: bool = True

    @abstractmethod
    def output(self, part: Batch) -> Any:
        """What both answer for a clip's later frames, time first, from clips (N, T, 3, H, W)."""

    def further(self, part: Batch) -> dict[str, Tensor]:
        """Further terms of the loss, after `output` of the same part, means over its clips."""
        return {}

    def losses(self, index: int, batch: Batch) -> Iterator[dict[str, Tensor]]:
        """Yield the terms of each pass over clips (N, T, 3, H, W) with labels (N, T, …); weights stay."""
        parts = self.optimised.passes.split(batch)
        if self.labels:
            parts = [part | {"target": self._targets(part)} for part in parts]
        extent = self._extent(parts)
        for part in parts:
            yield self._terms(part, extent)

    def step(self, index: int, batch: Batch) -> dict[str, float]:
        """Do one optimiser step on a batch as in `losses`."""
        totals = self.optimised.step(index, self.losses(index, batch))
        return {**totals, "learning_rate": self.optimised.learning_rate}

    def _targets(self, part: Batch) -> Any:
        return self.task.targets(later_frames(part["label"]), network=self.teacher)

    @torch.no_grad()
    def _extent(self, parts: list[Batch]) -> BatchExtent:
        passes = self.optimised.passes
        extent = BatchExtent.of(passes, parts)
        if len(parts) == 1 or not self.labels:
            return extent
        looks = self.task.extent_needs_outputs
        seen = ((self.output(part) if looks else None, part["target"]) for part in parts)
        return replace(extent, terms={"task": self.task.extent(seen, passes.group)})

    def _terms(self, part: Batch, extent: BatchExtent) -> dict[str, Tensor]:
        output = self.output(part)
        with torch.no_grad():
            taught = frame_outputs(self.teacher, normalise(all_frames(part["clip"][:, 1:])))
        share = extent.share(part)
        loss = share * self.task.imitation_loss(output, taught, network=self.teacher)
        if self.labels:
            group, of = self.optimised.passes.group, extent.terms.get("task")
            loss = loss + self.task.loss(output, part["target"], of, group=group, network=self.teacher)
        terms = {name: share * term for name, term in self.further(part).items()}
        return {"loss": sum(terms.values(), start=loss), **terms}
