"""Small networks of different kinds on which the invariants are checked."""

import torch
from torch import nn

from deltadistill import models


class SharedHead(nn.Module):
    """One head on two levels, as in detectors: it runs twice per frame."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.head = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(8, 8, 3))
        self.last = nn.Conv2d(8, 5, 1)

    def forward(self, x):
        """Return one map per level."""
        fine = self.stem(x)
        coarse = nn.functional.avg_pool2d(fine, 2)
        return {"fine": self.last(self.head(fine)), "coarse": self.last(self.head(coarse))}


class InPlace(nn.Module):
    """Changes its features in place after every convolution."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.middle = nn.Conv2d(8, 8, 3, padding=1, groups=2)
        self.last = nn.Conv2d(8, 4, 1)

    def forward(self, x):
        """Return (scores, features)."""
        x = torch.relu_(self.first(x))
        y = self.middle(x)
        y += x
        x.mul_(0.5)
        return self.last(torch.relu_(y)), x


class Tokens(nn.Module):
    """Linear layers over pixels, as in transformers: (N, H·W, C)."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Conv2d(3, 8, 4, stride=4)
        self.mix = nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 8))
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        """Return scores per token."""
        tokens = self.embed(x).flatten(2).transpose(1, 2)
        return self.head(tokens + self.mix(tokens))


def _twice_registered():
    convolution = nn.Conv2d(8, 8, 3, padding=1)
    return nn.Sequential(nn.Conv2d(3, 8, 1), convolution, nn.ReLU(), convolution, nn.Conv2d(8, 2, 1))


ARCHITECTURES = {
    "ddrnet": lambda: models.build("ddrnet23_slim", classes=4, width=8, stem_strides=(2, 1)),
    "hrnet": lambda: models.build("hrnet_w18_small", classes=4, width=4),
    "shared head": SharedHead,
    "in place": InPlace,
    "registered twice": _twice_registered,
    "tokens": Tokens,
    "batch norm and dropout": lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 12, 3, padding=2, dilation=2, bias=False),
        nn.Dropout(0.5),
        nn.Conv2d(12, 2, 1),
    ),
}


def build(name):
    """Build one of ARCHITECTURES with fixed random weights, in evaluation mode."""
    torch.manual_seed(1)
    return ARCHITECTURES[name]().eval()
