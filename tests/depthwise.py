"""A small network as MobileNets are, with channels that never change, and clips for it."""

import torch
from torch import nn

import deltadistill as dd


def clips_of(count=8, size=(16, 20)):
    generator = torch.Generator().manual_seed(2)
    key = torch.randn(count, 1, 3, *size, generator=generator)
    return key + 0.3 * torch.randn(count, 3, 3, *size, generator=generator).cumsum(1)


def depthwise():
    """Expand, filter by channel, project, twice; a quarter of the channels never changes."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 16, 3), nn.ReLU()]
    for _ in range(2):
        expand = nn.Conv2d(16, 32, 1)
        expand.bias.data[:8] = -50
        layers += [
            expand,
            nn.ReLU(),
            nn.Conv2d(32, 32, 3, padding=1, groups=32),
            nn.ReLU(),
            nn.Conv2d(32, 16, 1),
        ]
    return nn.Sequential(*layers, nn.Conv2d(16, 4, 1)).eval()


def converted():
    return dd.convert(depthwise(), dd.LinearStudent(gamma=2, rank="min"), dd.inner_layers)
