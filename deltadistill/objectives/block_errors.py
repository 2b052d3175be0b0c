"""Errors of all blocks' students (Eq. 1 and 2): of features or of changes, whichever the blocks predict."""

from torch import Tensor

from deltadistill.objectives.objective import Objective
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.relative_errors import distillation_loss
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.taps import Taps


class BlockErrors(Objective):
    """The mean relative error; its extent is the energy of every call's target."""

    def __init__(self, setting: Setting | None = None):
        super().__init__()

    @property
    def taps(self) -> Taps:
        """Every block."""
        return Taps(blocks=True)

    def extent(self, seen: Observation) -> Tensor:
        """Energy per call."""
        return seen.energies

    def loss(self, seen: Observation, of: Tensor) -> Tensor:
        """The errors, each divided by the energy of its target in the whole batch."""
        return distillation_loss(seen.errors, of)
