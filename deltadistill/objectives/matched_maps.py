"""A network's maps beside the teacher's, brought to the teacher's channels and size."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from deltadistill.objectives.named_pairs import Modules, named_pairs
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.taps import Taps


class MatchedMaps(nn.Module):
    """Pairs of maps (N, C, H, W), the network's own and the teacher's.

    A module may make maps, vectors (N, C), which are maps of one place, or tokens (N, L, C), which are maps
    of L places. Where channels differ, a learning 1×1 convolution leads to the teacher's;
    where places differ, own maps are resized to the teacher's.
    objective: whose modules these are, for messages. adapt: False refuses maps of other channels instead.
    Raises ValueError for modules that are not there, that make nothing of these forms, or other numbers of
    maps than the teacher's.
    """

    def __init__(self, setting: Setting, modules: Modules, *, objective: str, adapt: bool = True):
        super().__init__()
        self.pairs = named_pairs(setting, modules, objective)
        self.adapters = nn.ModuleList()
        self.channels: list[int] = []
        for own, taught in self.pairs:
            seen = as_maps(setting.maps(own), own), as_maps(setting.teacher_maps(taught), taught)
            if len(seen[0]) != len(seen[1]):
                raise ValueError(
                    f"objective {objective}: {own} makes {len(seen[0])} maps and the teacher's {taught} "
                    f"{len(seen[1])}; name modules that run equally often"
                )
            for mine, theirs in zip(*seen, strict=True):
                self.adapters.append(_adapter(mine, theirs, f"objective {objective}: {own}", adapt=adapt))
                self.channels.append(theirs.shape[1])

    @property
    def taps(self) -> Taps:
        """The modules, each in its network."""
        return Taps(
            own_modules=tuple(own for own, _ in self.pairs),
            teacher_modules=tuple(taught for _, taught in self.pairs),
        )

    def taught(self, seen: Observation) -> list[Tensor]:
        """The teacher's maps, for the frames that both answer."""
        return [made for _, taught in self.pairs for made in as_maps(seen.teacher_maps(taught), taught)]

    def forward(self, seen: Observation) -> list[tuple[Tensor, Tensor]]:
        """Own maps as they compare with the teacher's, and these."""
        own = [made for name, _ in self.pairs for made in as_maps(seen.maps(name), name)]
        adapted = [adapter(made) for adapter, made in zip(self.adapters, own, strict=True)]
        taught = self.taught(seen)
        return [(_resized(mine, theirs), theirs) for mine, theirs in zip(adapted, taught, strict=True)]


def as_maps(made: Sequence[Tensor], module: str) -> list[Tensor]:
    """What a module made, as maps (N, C, H, W)."""
    return [_as_map(tensor, module) for tensor in made]


def _as_map(made: Tensor, module: str) -> Tensor:
    if made.dim() == 4:
        return made
    if made.dim() == 3:
        return made.transpose(1, 2)[..., None]
    if made.dim() == 2:
        return made[..., None, None]
    raise ValueError(
        f"{module} makes {tuple(made.shape)}; expected a map (N, C, H, W), tokens (N, L, C) or vectors (N, C)"
    )


def _adapter(own: Tensor, taught: Tensor, where: str, *, adapt: bool) -> nn.Module:
    if own.shape[1] == taught.shape[1]:
        return nn.Identity()
    if not adapt:
        raise ValueError(
            f"{where} makes {own.shape[1]} channels and the teacher's {taught.shape[1]}; name modules of "
            "equally many"
        )
    return nn.Conv2d(own.shape[1], taught.shape[1], 1).to(own)


def _resized(own: Tensor, taught: Tensor) -> Tensor:
    if own.shape[-2:] == taught.shape[-2:]:
        return own
    return F.interpolate(own, taught.shape[-2:], mode="bilinear", align_corners=False)
