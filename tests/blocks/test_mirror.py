"""Mirrors of layers that are not plain, and of settings that differ from axis to axis."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, prune

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.nonlinear import ChannelStudent, SpatialStudent


class Same(nn.Conv2d):
    """Changes nothing."""


class Standardised(nn.Conv2d):
    def forward(self, x):
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


class Activates(nn.Conv2d):
    def forward(self, x):
        return super().forward(x).relu()


SETTINGS = {"kernel_size": (3, 5), "padding": (2, 6), "dilation": (2, 3), "bias": False}
LAYERS = {
    "same": lambda: Same(64, 64, **SETTINGS),
    "standardised": lambda: Standardised(64, 64, **SETTINGS),
    "weight norm": lambda: parametrizations.weight_norm(nn.Conv2d(64, 64, **SETTINGS)),
    "pruned": lambda: prune.l1_unstructured(nn.Conv2d(64, 64, **SETTINGS), "weight", 0.5),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("students", [ChannelStudent(gamma=4), SpatialStudent(stride=2)])
def test_blocks_of_layers_that_apply_one_kernel_convert(name, students):
    network = nn.Sequential(nn.Sequential(LAYERS[name](), nn.ReLU(), LAYERS[name]())).train()
    network(torch.rand(1, 64, 4, 5))  # hooks have run, and weights have a history
    delta = dd.convert(network.eval(), students, lambda _: ["0"], example=torch.rand(1, 64, 8, 10))
    block = delta_blocks(delta)["0"].eval()
    z_key, state = block.key(torch.rand(1, 64, 8, 10))
    assert block.delta(torch.rand(1, 64, 8, 10), state)[0].shape == z_key.shape


@pytest.mark.parametrize("name", LAYERS)
def test_the_mirror_of_such_a_layer_is_plain_and_keeps_its_settings(name):
    narrow = ChannelStudent(gamma=4).build(nn.Sequential(LAYERS[name]())).mirror[0]
    assert type(narrow) is nn.Conv2d
    assert (narrow.in_channels, narrow.out_channels) == (16, 16)
    assert {key: getattr(narrow, key) for key in SETTINGS if key != "bias"} == {
        key: value for key, value in SETTINGS.items() if key != "bias"
    }


def test_a_layer_without_a_kernel_is_named():
    block = nn.Sequential(Activates(64, 64, 3, padding=1))
    assert "Activates has a forward of its own" in ChannelStudent(gamma=4).reason_against(block)
