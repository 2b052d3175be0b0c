"""The scale map of Deep Feature Flow: what moved maps are multiplied by, from where their picture misses."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FlowScale(nn.Module):
    """Two 3×3 convolutions of what the moved key picture lacks; it begins as 1 everywhere.

    channels: of the maps that are scaled. reduction: of the picture to the maps, of height and width.
    In the paper (Zhu et al., CVPR 2017, §3) the network that finds the flow also gives the scale.
    """

    def __init__(self, channels: int, *, reduction: int, hidden: int = 16):
        super().__init__()
        self._reduction = reduction
        self.see = nn.Conv2d(3, hidden, 3, padding=1)
        self.say = nn.Conv2d(hidden, channels, 3, padding=1)
        for values in self.say.parameters():
            nn.init.zeros_(values)

    def forward(self, missing: Tensor) -> Tensor:
        """Scales (N, channels, ⌈H / reduction⌉, ⌈W / reduction⌉) for x_t − warp(x_0), (N, 3, H, W)."""
        reduced = F.avg_pool2d(missing, self._reduction, ceil_mode=True)
        return 1 + self.say(torch.relu(self.see(reduced)))


def build(*, classes: int, reduction: int, hidden: int = 16) -> FlowScale:
    """Make one for maps of `classes` channels."""
    return FlowScale(classes, reduction=reduction, hidden=hidden)
