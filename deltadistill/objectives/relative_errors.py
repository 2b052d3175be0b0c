"""The mean relative error of all calls of all blocks (Eq. 1 and 2), of a batch or of a part of one."""

from collections.abc import Iterable

import torch
from torch import Tensor

from deltadistill.blocks.sessions import CallError


def distillation_loss(errors: Iterable[CallError], energies: Tensor | None = None) -> Tensor:
    """Mean of the relative errors over all calls of all blocks (Eq. 1 or 2).

    Each term is divided by its target's energy, as the layers' scales differ by orders of magnitude, and
    the mean instead of the paper's sum makes α independent of the number of blocks.
    energies: per call, the targets' energy in the whole batch, where the errors are those of a part of it;
        the losses of all parts then add up to that of the whole.
    """
    errors = list(errors)
    if energies is None:
        energies = target_energies(errors)
    return torch.stack([e.relative(whole) for e, whole in zip(errors, energies, strict=True)]).mean()


def target_energies(errors: Iterable[CallError]) -> Tensor:
    """Energy of every call's target, in the order of the calls."""
    return torch.stack([error.energy for error in errors])
