"""Batch norm goes into the layer before it, where that layer's output goes nowhere else."""

import pytest
import torch
from architectures import ARCHITECTURES, build
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.exporting.folding import fold_batch_norm

DEAR = dd.LinearStudent(keep_dearer=True)


def unsettled(network: nn.Module) -> nn.Module:
    """With batch norms that are not the identity."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for name, low, high in (("running_mean", -1, 1), ("running_var", 0.5, 2)):
                getattr(module, name).uniform_(low, high, generator=generator)
            nn.init.uniform_(module.weight, 0.5, 2, generator=generator)
            nn.init.uniform_(module.bias, -1, 1, generator=generator)
    return network.double().eval()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_folded_network_says_the_same_on_every_frame(architecture):
    network = dd.convert(unsettled(build(architecture)), DEAR, where=dd.all_layers)
    clip = torch.rand(1, 3, 3, 32, 64, dtype=torch.float64)
    expected = dd.forward_clip(network, clip)
    fold_batch_norm(network, lambda network: network(clip[0, :1]))
    torch.testing.assert_close(dd.forward_clip(network, clip), expected, rtol=1e-7, atol=1e-7)


def test_scale_and_shift_by_hand():
    conv, norm = nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1, eps=0)
    for value, to in ((conv.weight, 3.0), (conv.bias, 1.0), (norm.weight, 4.0), (norm.bias, 5.0)):
        nn.init.constant_(value, to)
    norm.running_mean.fill_(2.0)
    norm.running_var.fill_(4.0)  # y = 4 (z − 2) / 2 + 5 = 2 z + 1
    network = dd.convert(nn.Sequential(conv, norm).eval(), DEAR, where=dd.all_convolutions)
    folded = fold_batch_norm(network, lambda network: network(torch.zeros(1, 1, 2, 2)))
    (block,) = delta_blocks(network).values()
    assert folded == ["1"]
    assert isinstance(network[1], nn.Identity)
    assert (block.teacher.weight.item(), block.teacher.bias.item()) == (6.0, 3.0)  # 2·3, 2·1 + 1
    assert block.uncompressed.weight.item() == 6.0
    assert (block.compressed[1].weight @ block.compressed[0].weight).item() == pytest.approx(6.0)


def test_a_frozen_norm_is_folded_too():
    norm = FrozenBatchNorm2d(2)
    norm.weight.copy_(torch.tensor([2.0, 3.0]))
    network = nn.Sequential(nn.Conv2d(3, 2, 3), norm).eval()
    frame = torch.rand(1, 3, 5, 6)
    expected = network(frame)
    assert fold_batch_norm(network, lambda network: network(frame)) == ["1"]
    torch.testing.assert_close(network(frame), expected)


class Branches(nn.Module):
    """One convolution whose output two read: a norm, and a sum."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2)

    def forward(self, x):
        z = self.conv(x)
        return self.norm(z) + z


class Shared(nn.Module):
    """One convolution with a norm for each of two scales, as EfficientDet's heads have them."""

    def __init__(self):
        super().__init__()
        self.conv, self.norms = nn.Conv2d(3, 2, 3), nn.ModuleList([nn.BatchNorm2d(2), nn.BatchNorm2d(2)])

    def forward(self, x):
        return [norm(self.conv(each)) for norm, each in zip(self.norms, (x, x[..., ::2]), strict=True)]


class Returned(Branches):
    """The caller gets what the norm reads."""

    def forward(self, x):
        z = self.conv(x)
        return self.norm(z), z


class OfItsOwn(nn.BatchNorm2d):
    """A norm that does something that nobody knows."""

    def forward(self, x):
        return super().forward(x) * 2


@pytest.mark.parametrize(
    "network", [Branches(), Shared(), Returned(), nn.Sequential(nn.Conv2d(3, 2, 3), OfItsOwn(2))]
)
def test_what_cannot_be_folded_stays(network):
    network = dd.convert(unsettled(network), DEAR, where=dd.all_convolutions)
    frame = torch.rand(1, 3, 6, 8, dtype=torch.float64)
    expected = network(frame)
    assert fold_batch_norm(network, lambda network: network(frame)) == []
    torch.testing.assert_close(network(frame), expected, rtol=0, atol=0)


def test_a_look_at_a_shape_is_no_reading():
    class Sized(Branches):
        def forward(self, x):
            z = self.conv(x)
            return self.norm(z)[..., : z.shape[-1] - 1]

    network = unsettled(Sized())
    frame = torch.rand(1, 3, 6, 8, dtype=torch.float64)
    expected = network(frame)
    assert fold_batch_norm(network, lambda network: network(frame)) == ["norm"]
    torch.testing.assert_close(network(frame), expected)
