"""Moments of what a layer reads, against patches listed one by one."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from deltadistill.conversion import second_moments
from deltadistill.conversion.second_moments import (
    energy_of_groups,
    output_square,
    patch_moments,
    patch_square,
    reads_points,
)

LAYERS = {
    "vertical": nn.Conv2d(6, 4, (3, 1), padding=(1, 0)),
    "horizontal": nn.Conv2d(6, 4, (1, 5), padding=(0, 2)),
    "strided": nn.Conv2d(6, 4, (5, 1), stride=(2, 1), padding=(2, 0)),
    "strided further than dilated": nn.Conv2d(6, 4, (1, 4), stride=(1, 3), dilation=(1, 2), padding=(0, 3)),
    "dilated depthwise": nn.Conv2d(6, 6, (5, 1), dilation=(2, 1), padding=(4, 0), groups=6),
    "dilated by more than the maps": nn.Conv2d(6, 4, (3, 1), dilation=(9, 1), padding=(9, 0), groups=2),
    "reflected": nn.Conv2d(6, 4, (1, 3), padding=(0, 1), padding_mode="reflect", groups=2),
    "strided and dilated by common factors": nn.Conv2d(
        6, 4, (1, 7), stride=(1, 2), dilation=(1, 2), padding=(0, 8)
    ),
    "same": nn.Conv2d(6, 4, (4, 1), padding="same"),
    "valid": nn.Conv2d(6, 4, (1, 3), padding="valid"),
    "pointwise": nn.Conv2d(6, 4, 1, stride=(2, 3)),
}


def listed(layer, x):
    """Patches (groups, positions, features) by one-hot kernels, which pad, stride and dilate as the layer."""
    inputs, taps = layer.weight.shape[1], layer.weight[0, 0].numel()
    reader = nn.Conv2d(
        layer.in_channels,
        layer.groups * inputs * taps,
        layer.kernel_size,
        stride=layer.stride,
        padding=layer.padding,
        dilation=layer.dilation,
        groups=layer.groups,
        bias=False,
        padding_mode=layer.padding_mode,
    )
    one_hot = torch.eye(inputs * taps).reshape(inputs * taps, inputs, *layer.kernel_size)
    reader.weight.data = one_hot.repeat(layer.groups, 1, 1, 1)
    return rows(reader.double()(x), layer.groups)


def rows(maps, groups):
    return maps.movedim(1, -1).flatten(0, 2).unflatten(1, (groups, -1)).transpose(0, 1)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("rows_at_once", [1, 2, 100])
@pytest.mark.parametrize("name", LAYERS)
@torch.no_grad()
def test_moments_are_sums_over_all_patches(name, rows_at_once, monkeypatch):
    layer, x = LAYERS[name], torch.randn(5, 6, 8, 11, dtype=torch.float64)
    monkeypatch.setattr(second_moments, "_CHUNK", rows_at_once * x[0].numel())
    patches = listed(layer, x)
    y = torch.randn_like(layer.double()(x))
    outputs = rows(y, layer.groups)
    square, cross = patch_moments(layer, x, y)
    torch.testing.assert_close(square, patches.mT @ patches)
    torch.testing.assert_close(cross, patches.mT @ outputs)
    torch.testing.assert_close(patch_square(layer, x), patches.mT @ patches)
    torch.testing.assert_close(output_square(layer, y), outputs.mT @ outputs)
    torch.testing.assert_close(energy_of_groups(layer, y), outputs.square().sum((1, 2)))


def test_features_of_a_linear_layer_are_its_patches():
    layer, x, y = nn.Linear(3, 2), torch.randn(4, 5, 3), torch.randn(4, 5, 2)
    square, cross = patch_moments(layer, x, y)
    flat, outputs = x.flatten(0, 1).double(), y.flatten(0, 1).double()
    torch.testing.assert_close(square[0], flat.T @ flat)
    torch.testing.assert_close(cross[0], flat.T @ outputs)


def test_only_a_kernel_of_one_point_without_stride_and_border_reads_points():
    assert reads_points(nn.Linear(3, 2))
    assert reads_points(nn.Conv2d(3, 2, 1))
    assert reads_points(nn.Conv2d(3, 2, 1, padding="same"))
    assert not reads_points(nn.Conv2d(3, 2, (1, 3)))
    assert not reads_points(nn.Conv2d(3, 2, 1, stride=(1, 2)))
    assert not reads_points(nn.Conv2d(3, 2, 1, padding=(0, 1)))


def test_maps_are_padded_as_the_layer_pads_them():
    x = torch.arange(4.0).view(1, 1, 1, 4).double()
    layer = nn.Conv2d(1, 1, (1, 3), padding=(0, 1), padding_mode="circular")
    padded = functional.pad(x, (1, 1, 0, 0), mode="circular").flatten()
    patches = padded.unfold(0, 3, 1)
    torch.testing.assert_close(patch_square(layer, x)[0], patches.T @ patches)
