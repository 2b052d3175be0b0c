"""A distillation hands back no students worse than those it began with."""

import logging
from math import isfinite

import torch
from torch import Tensor, nn

from deltadistill.blocks.delta_network import delta_blocks, seat_of
from deltadistill.blocks.sessions import ClipSession
from deltadistill.distillation.losses import Run, distillation_loss, probe_teacher
from deltadistill.forward.clip_axes import all_frames, later_frames

_log = logging.getLogger(__name__)
_DIVERGED = 2.0  # times the loss at the start


class Safeguard:
    """Remembers the students at the start; afterwards they must be better on the same clips, or come back.

    clips: batches (N, T, C, H, W) that judge, under the decisions at the end for both.
    """

    def __init__(self, network: nn.Module, clips: list[Tensor], run: Run):
        self._network, self._clips, self._run = network, clips, run
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
        return [p for block in delta_blocks(self._network).values() for p in block.student_parameters()]

    @torch.no_grad()
    def _exchange(self, weights: list[Tensor]) -> None:
        for parameter, weight in zip(self._students(), weights, strict=True):
            parameter.copy_(weight)

    def _loss(self) -> float:
        losses = [clips_loss(self._network, clips, self._run).item() for clips in self._clips]
        return sum(losses) / len(losses)


def clips_loss(network: nn.Module, clips: Tensor, run: Run, choose=None) -> Tensor:  # noqa: ANN001
    """Distillation loss (Eq. 2) of clips (N, T, C, H, W); what the network returns is of no account.

    choose: as for ClipSession; None: every block's choice.
    """
    targets = probe_teacher(network, later_frames(clips), run).targets
    session = ClipSession(clips.shape[1], choose=choose, targets=targets)
    session.begin(clips=clips.shape[0])
    with seat_of(network).taken_by(session):
        run(network, all_frames(clips))
    return distillation_loss(session.errors.values())
