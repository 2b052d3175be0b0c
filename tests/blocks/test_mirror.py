"""Mirrors of layers that are not plain, and of settings that differ from axis to axis."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, prune

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.mirror import NoMirrorError, narrow_mirror
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


@pytest.mark.parametrize(("groups", "narrow_groups"), [(1, 1), (2, 2), (4, 4), (16, 4)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_narrow_convolution_has_as_many_groups_or_is_depthwise_too(groups, narrow_groups, bias):
    layer = nn.Conv2d(16, 32, 3, padding=1, groups=groups, bias=bias)
    narrow = narrow_mirror(nn.Sequential(layer), 4)[0]
    assert (narrow.in_channels, narrow.out_channels, narrow.groups) == (4, 8, narrow_groups)
    assert (narrow.bias is not None) == bias
    assert not bias or narrow.bias.abs().max() == 0
    linear = narrow_mirror(nn.Sequential(nn.Linear(12, 8, bias=bias)), 4)[0]
    assert (linear.in_features, linear.out_features, linear.bias is not None) == (3, 2, bias)


def test_groups_that_a_narrow_convolution_cannot_have_are_named():
    with pytest.raises(NoMirrorError, match="6 to 4 channels do not divide into 4 groups"):
        narrow_mirror(nn.Sequential(nn.Conv2d(12, 8, 3, groups=4)), 2)
    with pytest.raises(NoMirrorError, match="4 to 6 channels do not divide into 4 groups"):
        narrow_mirror(nn.Sequential(nn.Conv2d(8, 12, 3, groups=4)), 2)


def test_a_layer_without_a_kernel_is_named():
    block = nn.Sequential(Activates(64, 64, 3, padding=1))
    assert "Activates has a forward of its own" in ChannelStudent(gamma=4).reason_against(block)


class Excites(nn.Module):
    """A convolution whose outputs are scaled by what two linear layers make of their means."""

    def __init__(self, channels=32):
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1)
        self.squeeze = nn.Linear(channels, channels // 2, bias=False)
        self.excite = nn.Linear(channels // 2, channels)

    def forward(self, x):
        maps = self.convolution(x)
        scale = self.excite(self.squeeze(maps.mean((2, 3))).relu()).sigmoid()
        return maps * scale[:, :, None, None]


def test_linear_layers_within_a_block_become_narrower_too():
    block = Excites().eval()
    block.squeeze.train()
    mirror = ChannelStudent(gamma=4).build(block).mirror
    found = [
        (type(layer), layer.in_features, layer.out_features) for layer in (mirror.squeeze, mirror.excite)
    ]
    assert found == [(nn.Linear, 8, 4), (nn.Linear, 4, 8)]
    assert (mirror.squeeze.bias is None, mirror.excite.bias is None) == (True, False)
    assert (mirror.squeeze.training, mirror.excite.training) == (True, False)
    assert mirror(torch.rand(2, 8, 5, 6)).shape == (2, 8, 5, 6)


class Refuses(nn.Conv2d):
    def __init__(self, said):
        super().__init__(16, 16, 1)
        self.said = said

    def forward(self, x):
        raise ValueError(self.said)


@pytest.mark.parametrize(("said", "told"), [("first line\nsecond", "first line"), ("", "ValueError")])
def test_a_block_that_does_not_run_on_one_map_is_refused_with_what_it_said(said, told):
    with pytest.raises(NoMirrorError) as error:
        ChannelStudent(gamma=4).build(nn.Sequential(Refuses(said)))
    assert str(error.value) == f"it does not run on one map of 16 channels: {told}"


class Repeats(nn.Module):
    """Gives its channels three times, however many they are, and one more."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(64, 64, 1)

    def forward(self, x):
        maps = self.convolution(x)
        return torch.cat([maps, maps, maps[:, :3]], 1)


def test_a_mirror_of_other_channels_than_the_block_needs_is_refused():
    with pytest.raises(NoMirrorError, match="its mirror gives 35 channels instead of 33"):
        ChannelStudent(gamma=4).build(Repeats())


def test_a_block_without_a_convolution_or_a_map_is_refused():
    with pytest.raises(NoMirrorError, match="it holds no convolution"):
        ChannelStudent(gamma=4).build(nn.Sequential(nn.Linear(16, 16)))
    for output in (lambda maps: maps.mean((2, 3)), lambda maps: [maps], lambda maps: torch.cat([maps, maps])):
        block = nn.Sequential(nn.Conv2d(16, 16, 1))
        block.register_forward_hook(lambda module, inputs, maps, output=output: output(maps))
        with pytest.raises(NoMirrorError, match=r"its output is not one map \(N, C, H, W\)"):
            ChannelStudent(gamma=4).build(block)
