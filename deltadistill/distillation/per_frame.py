"""Distillation into a cheaper network that answers every frame by itself, by any weighted objectives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.distillation.training import DistillTraining
from deltadistill.distillation.weighted import Terms
from deltadistill.objectives.per_frame_observation import PerFrameObservation
from deltadistill.objectives.taps import Taps
from deltadistill.training.batch_extent import BatchExtent
from deltadistill.training.optimised_trainee import OptimisedTrainee
from deltadistill.training.passes import Batch, buffers_kept


@dataclass
class PerFrameDistillation(DistillTraining):
    """A trainee (see training.loop) on single frames, whose teacher is another network.

    teacher: in evaluation mode. frozen_batch_norm: keep batch norm's statistics, as in delta distillation.
    There is nothing to search. Raises ValueError for objectives that look at blocks, which this network does
    not have.
    """

    beta: float = field(default=0.0, init=False)
    search: None = field(default=None, init=False)
    costs: None = field(default=None, init=False)
    seed: int = field(kw_only=True)
    tune_score: Callable[[Callable[[], None]], float] = field(kw_only=True)
    teacher: nn.Module = field(kw_only=True)
    frozen_batch_norm: bool = False

    def __post_init__(self) -> None:
        for name, term in self.terms.items():
            if term.objective.taps.blocks:
                raise ValueError(
                    f"objective {name} learns from the errors of blocks, and {type(self.network).__name__} "
                    "answers every frame by itself and has none; take it out of this training's objectives"
                )

    def step(self, index: int, batch: Batch) -> dict[str, float]:
        """Do one optimiser step on a batch of clips (N, T, 3, H, W), with labels (N, T, …)."""
        self.network.train(not self.frozen_batch_norm)
        return OptimisedTrainee.step(self, index, batch)  # not DistillTraining's, which searches

    @torch.no_grad()
    def _extent(self, index: int, parts: list[Batch], terms: Terms) -> BatchExtent:
        with buffers_kept(self.network):
            return super()._extent(index, parts, terms)

    def _observe(
        self, index: int, part: Batch, taps: Sequence[Taps], *, only_extents: bool = False
    ) -> PerFrameObservation:
        return PerFrameObservation(
            self.network,
            part,
            self.clip_of(part["clip"]),
            Taps.of_all(taps),
            run=self.run,
            precision=self.optimised.precision,
            only_extents=only_extents,
            teacher=self.teacher,
        )

    def _losses(self, index: int, part: Batch, extent: BatchExtent, terms: Terms) -> dict[str, Any]:
        found: dict[str, Tensor] = super()._losses(index, part, extent, terms)
        del found["cost"]  # nothing is searched
        return found
