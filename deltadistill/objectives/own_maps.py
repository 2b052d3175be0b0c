"""Maps of named modules of the network that learns, where the teacher's have no part in a loss."""

from torch import Tensor, nn

from deltadistill.objectives.matched_maps import as_maps
from deltadistill.objectives.named_pairs import Modules, named_pairs
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.taps import Taps


class OwnMaps(nn.Module):
    """Maps (N, C, H, W) of modules, in the forms that MatchedMaps takes.

    The frames are those that the teacher answers too.
    """

    def __init__(self, setting: Setting, modules: Modules, *, objective: str):
        super().__init__()
        self.names = [own for own, _ in named_pairs(setting, modules, objective)]
        made = [each for name in self.names for each in as_maps(setting.maps(name), name)]
        self.channels = [each.shape[1] for each in made]

    @property
    def taps(self) -> Taps:
        """The modules."""
        return Taps(own_modules=tuple(self.names))

    def forward(self, seen: Observation) -> list[Tensor]:
        """The maps, with gradient."""
        return [each for name in self.names for each in as_maps(seen.maps(name), name)]
