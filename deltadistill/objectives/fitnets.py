"""Hints (FitNets, Romero et al., ICLR 2015, Eq. 3): a map of the student, adapted, is to be the teacher's."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deltadistill.objectives.compared_maps import ComparedMaps, at_one_size, last_at_each_size
from deltadistill.objectives.named_pairs import Modules
from deltadistill.objectives.objective import Objective
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.taps import Taps


class FitNets(Objective):
    """Mean squared distance of a map behind a 1×1 convolution of this objective's own, and the teacher's.

    The hint is learnt beside the other terms, as in later comparisons, not in a stage before them (§2.3); the
    larger of two maps is averaged to the size of the smaller.
    modules: where; None: the map in the middle of those that are last at their size.
    """

    def __init__(self, setting: Setting, *, modules: Modules = None):
        super().__init__()
        if modules is None:
            found = last_at_each_size(setting)
            modules = found[len(found) // 2 :][:1]
        self.compared = ComparedMaps.named(setting, modules, "fitnets")
        self.regressors = nn.ModuleList(nn.Conv2d(*pair, 1) for pair in self.compared.channels(setting))

    @property
    def taps(self) -> Taps:
        """The modules."""
        return self.compared.taps

    def loss(self, seen: Observation, of: Tensor) -> Tensor:
        """The mean over modules, by the part's share of the clips."""
        pairs = zip(self.regressors, self.compared.of(seen), strict=True)
        losses = [hint_loss(adapt(own), taught) for adapt, (own, taught) in pairs]
        return torch.stack(losses).mean() * (seen.clips / float(of))


def hint_loss(own: Tensor, taught: Tensor) -> Tensor:
    """Mean squared distance of maps (N, C, H, W) and (N, C, H′, W′); a scalar."""
    return F.mse_loss(*at_one_size(own, taught))
