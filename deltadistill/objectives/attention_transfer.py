"""Attention transfer (Zagoruyko and Komodakis, ICLR 2017, Eq. 2): where maps are large."""

import torch
import torch.nn.functional as F
from torch import Tensor

from deltadistill.objectives.compared_maps import ComparedMaps, at_one_size
from deltadistill.objectives.named_pairs import Modules
from deltadistill.objectives.objective import Objective
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.taps import Taps


def attention_distance(own: Tensor, taught: Tensor) -> Tensor:
    """Mean squared difference of the attention of maps (N, C, H, W) and (N, C′, H′, W′); a scalar.

    Attention is the mean over channels of the squares, flattened over places and divided by its norm. The
    larger of two maps is averaged to the size of the smaller. Eq. 2 has the norm of the difference; here is
    the mean of its square, as in the authors' code, whose weight is 1000.
    """
    first, second = (F.normalize(each.square().mean(1).flatten(1)) for each in at_one_size(own, taught))
    return (first - second).square().mean()


class AttentionTransfer(Objective):
    """The distance; modules: where, None: the last map of each size."""

    def __init__(self, setting: Setting, *, modules: Modules = None):
        super().__init__()
        self.compared = ComparedMaps.named(setting, modules, "attention_transfer")

    @property
    def taps(self) -> Taps:
        """The modules."""
        return self.compared.taps

    def loss(self, seen: Observation, of: Tensor) -> Tensor:
        """The sum over modules, by the part's share of the clips."""
        losses = [attention_distance(own, taught) for own, taught in self.compared.of(seen)]
        return torch.stack(losses).sum() * (seen.clips / float(of))
