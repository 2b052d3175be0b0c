"""Training of a per-frame network: the teacher, and the baseline that is trained on for as long."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.data.frames import normalise
from deltadistill.forward.clip_axes import all_frames
from deltadistill.forward.outputs import frame_outputs
from deltadistill.tasks.task import Task
from deltadistill.training.batch_extent import BatchExtent
from deltadistill.training.optimised_network import OptimisedNetwork
from deltadistill.training.optimised_trainee import OptimisedTrainee
from deltadistill.training.passes import Batch, buffers_kept, with_targets


@dataclass
class PerFrameTraining(OptimisedTrainee):
    """A trainee (see training.loop) that learns single frames; batches hold clips of any length.

    frozen_batch_norm: keep batch norm's statistics, as in delta distillation.
    teacher: a network whose output is imitated as well as the labels (logit distillation).
    labels: whether there are any to learn from; without them the teacher's output is all there is.
    """

    optimised: OptimisedNetwork
    task: Task
    tune_score: Callable[[Callable[[], None]], float]
    frozen_batch_norm: bool = False
    teacher: nn.Module | None = None
    labels: bool = True

    def __post_init__(self) -> None:
        if not self.labels and self.teacher is None:
            raise ValueError("without labels and without a teacher there is nothing to learn from")

    def losses(self, index: int, batch: Batch) -> Iterator[dict[str, Tensor]]:
        """Yield the loss of each pass over clips (N, T, 3, H, W) with labels (N, T, …); weights stay."""
        parts = with_targets(self.optimised.passes.split(batch), self.task, self.network)
        extent = self._extent(parts)
        for part in parts:
            yield {"loss": self._loss(part, extent)}

    def step(self, index: int, batch: Batch) -> dict[str, float]:
        """Do one optimiser step on a batch as in `losses`."""
        self.network.train(not self.frozen_batch_norm)
        return super().step(index, batch)

    @torch.no_grad()
    def _extent(self, parts: list[Batch]) -> BatchExtent:
        """What the parts must know of the whole."""
        passes = self.optimised.passes
        if not self.labels:
            return BatchExtent.of(passes, parts)
        with buffers_kept(self.network):
            return BatchExtent.of_task(
                passes, parts, self.task, lambda part: self._output(self.network, _frames(part))
            )

    def _output(self, network: nn.Module, frames: Tensor) -> Any:
        precision = self.optimised.precision
        with precision.passes():
            output = frame_outputs(network, frames)
        return precision.outputs(output)

    def _loss(self, part: Batch, extent: BatchExtent) -> Tensor:
        frames, group, of = _frames(part), self.optimised.passes.group, extent.terms.get("task")
        output = self._output(self.network, frames)
        losses = []
        if self.labels:
            losses.append(self.task.loss(output, part["target"], of, group=group, network=self.network))
        if self.teacher is not None:
            with torch.no_grad():
                taught = self._output(self.teacher, frames)
            imitation = self.task.imitation_loss(output, taught, network=self.network, teacher=self.teacher)
            losses.append(extent.share(part) * imitation)
        return sum(losses[1:], losses[0])


def _frames(part: Batch) -> Tensor:
    return normalise(all_frames(part["clip"]))
