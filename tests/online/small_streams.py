"""A teacher, students and a moving scene, small enough for a stream of many frames."""

import torch
from torch import nn

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.tasks.segmentation import Segmentation

TASK = Segmentation(3)
SIZE = (8, 10)


class Stripes(nn.Module):
    """A teacher whose class is that of the strongest channel of the pixel; it says `broken` of some calls."""

    def __init__(self, broken=()):
        super().__init__()
        self.weight = nn.Parameter(torch.eye(3))
        self.calls, self.broken = 0, set(broken)

    def forward(self, frame):
        self.calls += 1
        if self.calls - 1 in self.broken:
            raise OSError("the other machine does not answer")
        return 20 * torch.einsum("kc,nchw->nkhw", self.weight, frame)


def frames(count, *, seed=0, streams=1):
    draws = torch.Generator().manual_seed(seed)
    still = torch.randn(streams, 3, *SIZE, generator=draws)
    return [still.roll(n // 3, 3) + 0.1 * torch.randn(still.shape, generator=draws) for n in range(count)]


def student(*, seed=1, norm=False):
    torch.manual_seed(seed)
    layers = [nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8) if norm else nn.Identity(), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(8, 3, 1)).eval()


def delta_network(design=None, *, seed=2):
    torch.manual_seed(seed)
    layers = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 3, 1)
    network = dd.convert(nn.Sequential(*layers).eval(), design or dd.LinearStudent(gamma=4))
    for block in delta_blocks(network).values():
        block.decide("compressed")
    return network


def nonlinear_network(*, seed=2):
    torch.manual_seed(seed)
    inner = nn.Sequential(nn.Conv2d(4, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
    network = nn.Sequential(nn.Conv2d(3, 4, 1), inner, nn.Conv2d(8, 3, 1)).eval()
    converted = dd.convert(network, dd.ChannelStudent(gamma=2), dd.matching(lambda name, _: name == "1"))
    for block in delta_blocks(converted).values():
        block.decide("compressed")
    return converted
