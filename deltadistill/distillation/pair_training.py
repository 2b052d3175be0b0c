"""Distillation into a per-frame student that is a network of its own: any weighted objectives, no blocks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.distillation.training import DistillTraining
from deltadistill.distillation.weighted import Terms
from deltadistill.objectives.pair_observation import PairObservation
from deltadistill.objectives.taps import Taps
from deltadistill.training.batch_extent import BatchExtent
from deltadistill.training.passes import Batch, buffers_kept


@dataclass(kw_only=True)
class PairTraining(DistillTraining):
    """A trainee (see training.loop) that learns single frames from labels and a teacher.

    Batch norm's statistics follow the student's own maps, which are not the teacher's any more.
    teacher: in evaluation mode, on the student's device. There is no search: what belongs to it is not used.
    """

    beta: float = 0.0
    search: None = None
    costs: None = None
    teacher: nn.Module

    def losses(self, index: int, batch: Batch) -> Iterator[dict[str, Tensor]]:
        """Yield the loss of step `index` and its terms, pass by pass over single frames (N, 1, 3, H, W)."""
        for found in super().losses(index, batch):
            yield {name: found[name] for name in ("loss", *self.terms) if name in found}

    def step(self, index: int, batch: Batch) -> dict[str, float]:
        """Do one optimiser step on a batch as in `losses`."""
        self.network.train()
        totals = self.optimised.step(index, self.losses(index, batch))
        return totals | {"learning_rate": self.optimised.learning_rate}

    def may_be_best(self, steps_done: int) -> bool:
        """Any student may be the result."""
        return True

    @torch.no_grad()
    def _extent(self, index: int, parts: list[Batch], terms: Terms) -> BatchExtent:
        with buffers_kept(self.network):
            return super()._extent(index, parts, terms)

    def _observe(self, index: int, part: Batch, taps: Sequence[Taps], *, only_extents: bool = False) -> Any:
        return PairObservation(
            self.network,
            self.teacher,
            part,
            self.clip_of(part["clip"]),
            Taps.of_all(taps),
            run=self.run,
            precision=self.optimised.precision,
            only_extents=only_extents,
        )
