"""Training of Deep Feature Flow's scale map, on pairs of a key frame and a later one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.data.frames import normalise
from deltadistill.forward.clip_axes import later_frames
from deltadistill.forward.outputs import frame_outputs
from deltadistill.predictors.deep_feature_flow import moved_maps
from deltadistill.predictors.frame_batch import FrameBatch
from deltadistill.predictors.motions import Motions
from deltadistill.predictors.network_split import NetworkSplit
from deltadistill.tasks.task import Task
from deltadistill.training.batch_extent import BatchExtent
from deltadistill.training.optimised_network import OptimisedNetwork
from deltadistill.training.optimised_trainee import OptimisedTrainee
from deltadistill.training.passes import Batch


@dataclass
class FlowScaleTraining(OptimisedTrainee):
    """A trainee (see training.loop): one step on pairs; only the scale learns, all else is as it will run.

    optimised: the scale (models/flow_scale.py) and its optimiser. teacher: the network whose maps are moved,
    in evaluation mode and without gradients of its own; split: of it. The loss is the task's on the later
    frame's labels, where there are `labels`, and the distance of the output from the teacher's there.
    """

    optimised: OptimisedNetwork
    teacher: nn.Module
    split: NetworkSplit
    motions: Motions
    task: Task
    tune_score: Callable[[Callable[[], None]], float]
    labels: bool = True

    def losses(self, index: int, batch: Batch) -> Iterator[dict[str, Tensor]]:
        """Yield the loss of each pass over pairs (N, 2, 3, H, W) with labels (N, 2, …); weights stay."""
        parts = self.optimised.passes.split(batch)
        if self.labels:
            parts = [part | {"target": self._targets(part)} for part in parts]
        extent = self._extent(parts)
        for part in parts:
            yield {"loss": self._loss(part, extent)}

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
        seen = ((self._output(part) if looks else None, part["target"]) for part in parts)
        return replace(extent, terms={"task": self.task.extent(seen, passes.group)})

    def _loss(self, part: Batch, extent: BatchExtent) -> Tensor:
        output = self._output(part)
        with torch.no_grad():
            taught = frame_outputs(self.teacher, normalise(part["clip"][:, 1]))
        loss = extent.share(part) * self.task.imitation_loss(output, taught, network=self.teacher)
        if not self.labels:
            return loss
        group, of = self.optimised.passes.group, extent.terms.get("task")
        return loss + self.task.loss(output, part["target"], of, group=group, network=self.teacher)

    def _output(self, part: Batch) -> Any:
        """What the last modules make of the moved and scaled maps, for the later frames."""
        key, later = part["clip"].unbind(1)
        self.motions.begin(len(key))
        self.motions.see(FrameBatch(key.cpu()), is_key=True)
        self.motions.see(FrameBatch(later.cpu()), is_key=False)
        first = normalise(key)
        with torch.no_grad():
            _, maps = self.split.full(first)
        flow = self.motions.back().to(first.device)
        return self.split.rest(moved_maps(maps, flow, self.network, first, normalise(later)))
