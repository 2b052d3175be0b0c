"""Knowledge review (ReviewKD, Chen et al., CVPR 2021): deeper maps of a student help to make shallower ones.

From the deepest level up, a level's map is fused with what came from below by attention (ABF, §3.3), and what
comes out is compared with the teacher's map in coarser and coarser means (HCL).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deltadistill.objectives.compared_maps import ComparedMaps, at_one_size
from deltadistill.objectives.named_pairs import Modules
from deltadistill.objectives.objective import Objective
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.taps import Taps

_MEANS = ((4, 0.5), (2, 0.25), (1, 0.125))  # rows and columns of coarser means, and their weights


def hierarchical_distance(own: Tensor, taught: Tensor) -> Tensor:
    """Squared distance of maps (N, C, H, W), as they are and in means of 4×4, 2×2 and 1×1 places; a scalar.

    Weighted 1, ½, ¼, ⅛ over the sum of the weights; only means coarser than the maps count.
    """
    own, taught = at_one_size(own, taught)
    loss, total = F.mse_loss(own, taught), 1.0
    for side, weight in _MEANS:
        if side < own.shape[-2]:
            ours, theirs = F.adaptive_avg_pool2d(own, side), F.adaptive_avg_pool2d(taught, side)
            loss, total = loss + weight * F.mse_loss(ours, theirs), total + weight
    return loss / total


class _Fusion(nn.Module):
    """A level: its map, fused with what came from the deeper one, and as the teacher's channels."""

    def __init__(self, channels: int, middle: int, taught: int, *, fuses: bool):
        super().__init__()
        self.enter = nn.Sequential(nn.Conv2d(channels, middle, 1, bias=False), nn.BatchNorm2d(middle))
        self.leave = nn.Sequential(
            nn.Conv2d(middle, taught, 3, padding=1, bias=False), nn.BatchNorm2d(taught)
        )
        self.attention = nn.Sequential(nn.Conv2d(2 * middle, 2, 1), nn.Sigmoid()) if fuses else None

    def forward(self, features: Tensor, deeper: Tensor | None) -> tuple[Tensor, Tensor]:
        """The map to compare, and what the next level gets."""
        entered = self.enter(features)
        if self.attention is not None and deeper is not None:
            deeper = F.interpolate(deeper, entered.shape[-2:], mode="nearest")
            shares = self.attention(torch.cat([entered, deeper], 1))
            entered = entered * shares[:, :1] + deeper * shares[:, 1:]
        return self.leave(entered), entered


class ReviewKD(Objective):
    """The distances of all levels; their modules are this objective's own.

    modules: the levels, shallowest first; None: the last map of each size. middle: channels in
    which levels are fused; None: at most 64, and no more than a level has (published for ImageNet: 512).
    """

    def __init__(self, setting: Setting, *, modules: Modules = None, middle: int | None = None):
        super().__init__()
        self.compared = ComparedMaps.named(setting, modules, "reviewkd")
        channels = self.compared.channels(setting)
        middle = middle or min(64, *(own for own, _ in channels))
        self.levels = nn.ModuleList(
            _Fusion(own, middle, taught, fuses=number < len(channels) - 1)
            for number, (own, taught) in enumerate(channels)
        )

    @property
    def taps(self) -> Taps:
        """The modules."""
        return self.compared.taps

    def loss(self, seen: Observation, of: Tensor) -> Tensor:
        """The sum over levels, by the part's share of the clips."""
        losses, deeper = [], None
        for level, (own, taught) in reversed(list(zip(self.levels, self.compared.of(seen), strict=True))):
            made, deeper = level(own, deeper)
            losses.append(hierarchical_distance(made, taught))
        return torch.stack(losses).sum() * (seen.clips / float(of))
