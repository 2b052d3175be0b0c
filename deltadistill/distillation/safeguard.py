"""A distillation hands back no students worse than those it began with."""

import logging
from collections.abc import Callable, Iterable
from math import isfinite

import torch
from torch import Tensor, nn

from deltadistill.blocks.delta_network import delta_blocks

_log = logging.getLogger(__name__)
_DIVERGED = 2.0  # times the loss at the start


class Safeguard:
    """Remembers the students at the start; afterwards they must be better on the same clips, or come back.

    clips: batches (N, T, C, H, W) that judge, by `loss_of`, under the decisions at the end for both.
    companions: modules that learned with the students, and come back with them.
    """

    def __init__(
        self,
        network: nn.Module,
        clips: list[Tensor],
        loss_of: Callable[[Tensor], float],
        companions: Iterable[nn.Module] = (),
    ):
        self._network, self._clips, self._loss_of = network, clips, loss_of
        self._companions = list(companions)
        self._start = [parameter.detach().clone() for parameter in self._students()]

    def restore(self) -> None:
        """Give every student the weights of the start."""
        self._exchange(self._start)

    @torch.no_grad()
    def judge(self) -> None:
        """Restore the start where the students ended worse: with a warning, or with FloatingPointError.

        The error is for a loss of more than twice the start's, and for weights or losses that are not finite.
        """
        ended = [parameter.detach().clone() for parameter in self._students()]
        end = self._loss() if all(weight.isfinite().all() for weight in ended) else float("nan")
        self.restore()
        start = self._loss()
        if end <= start:
            self._exchange(ended)
            return
        told = (
            f"the distillation loss ended at {end:.4g}, where it began at {start:.4g} (the same clips and "
            "decisions); the students are those of the start again; lower the learning rate, or take "
            "more steps"
        )
        if not isfinite(end) or end > _DIVERGED * start:
            raise FloatingPointError(told)
        _log.warning(told)

    def _students(self) -> list[nn.Parameter]:
        students = [p for block in delta_blocks(self._network).values() for p in block.student_parameters()]
        return [*students, *(p for module in self._companions for p in module.parameters())]

    @torch.no_grad()
    def _exchange(self, weights: list[Tensor]) -> None:
        for parameter, weight in zip(self._students(), weights, strict=True):
            parameter.copy_(weight)

    def _loss(self) -> float:
        losses = [self._loss_of(clips) for clips in self._clips]
        return sum(losses) / len(losses)
