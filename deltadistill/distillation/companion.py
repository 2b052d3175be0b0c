"""Training of a small network beside one that stays as it is, on what both together answer."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
    def observed(self, part: Batch) -> tuple[Any, dict[str, Tensor]]:
        """What both answer for the later frames of clips (N, T, 3, H, W), time first.

        Beside it further terms of the loss, means over the clips.
        """

    def losses(self, index: int, batch: Batch) -> Iterator[dict[str, Tensor]]:
        """Yield the terms of each pass over clips (N, T, 3, H, W) with labels (N, T, …); weights stay."""
        parts = self.optimised.passes.split(batch)
        if self.labels:
            parts = [part | {"target": self._targets(part)} for part in parts]
        extent = self._extent(parts)
        for part in parts:
            yield self._terms(part, extent)

    def _targets(self, part: Batch) -> Any:
        return self.task.targets(later_frames(part["label"]), network=self.teacher)

    @torch.no_grad()
    def _extent(self, parts: list[Batch]) -> BatchExtent:
        passes = self.optimised.passes
        if not self.labels:
            return BatchExtent.of(passes, parts)
        return BatchExtent.of_task(passes, parts, self.task, lambda part: self.observed(part)[0])

    def _terms(self, part: Batch, extent: BatchExtent) -> dict[str, Tensor]:
        output, further = self.observed(part)
        with torch.no_grad():
            taught = frame_outputs(self.teacher, normalise(all_frames(part["clip"][:, 1:])))
        share = extent.share(part)
        loss = share * self.task.imitation_loss(output, taught, network=self.teacher)
        if self.labels:
            group, of = self.optimised.passes.group, extent.terms.get("task")
            loss = loss + self.task.loss(output, part["target"], of, group=group, network=self.teacher)
        terms = {name: share * term for name, term in further.items()}
        return {"loss": sum(terms.values(), start=loss), **terms}
