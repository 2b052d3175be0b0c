"""The kernel that a layer applies, whatever its class makes of its weight."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, prune

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.kernel import NoKernelError, plain_layer
from deltadistill.blocks.linear import LinearStudent, full_rank

KERNEL = {"kernel_size": (3, 5), "stride": (1, 2), "padding": (2, 1), "dilation": (2, 1)}


class Same(nn.Conv2d):
    """Changes nothing."""


class SameLinear(nn.Linear):
    """Changes nothing."""


class Standardised(nn.Conv2d):
    """Weight standardisation with a gain."""

    def forward(self, x):
        mean, std = self.weight.mean((1, 2, 3), keepdim=True), self.weight.std((1, 2, 3), keepdim=True)
        weight = 3 * (self.weight - mean) / std
        return F.conv2d(x, weight, self.bias, self.stride, self.padding, self.dilation, groups=self.groups)


class Masked(nn.Conv2d):
    """Zeroes half its kernel whenever it runs, in training too."""

    def forward(self, x):
        self.weight.data[:, :, 0] = 0
        return super().forward(x)


class Scaled(nn.Linear):
    """Equalised learning rate."""

    def forward(self, x):
        return F.linear(x, self.weight * 0.2, self.bias)


class Doubled(nn.Module):
    """A parametrisation."""

    def forward(self, weight):
        return 2 * weight


def convolution(make=nn.Conv2d):
    return make(8, 12, groups=2, **KERNEL)


def twice_pruned(layer):
    return prune.l1_unstructured(prune.random_unstructured(layer, "weight", 0.3), "weight", 0.5)


def patched(layer):
    layer.forward = lambda x: F.conv2d(
        x, -layer.weight, layer.bias, layer.stride, layer.padding, layer.dilation, 2
    )
    return layer


LAYERS = {
    "plain": convolution,
    "same": lambda: convolution(Same),
    "same linear": lambda: SameLinear(8, 12),
    "standardised": lambda: convolution(Standardised),
    "masked": lambda: convolution(Masked),
    "scaled": lambda: Scaled(8, 12),
    "patched": lambda: patched(convolution()),
    "weight norm": lambda: parametrizations.weight_norm(convolution()),
    "spectral norm": lambda: parametrizations.spectral_norm(convolution()),
    "orthogonal": lambda: parametrizations.orthogonal(nn.Linear(8, 12)),
    "own": lambda: nn.utils.parametrize.register_parametrization(convolution(), "weight", Doubled()),
    "bias": lambda: nn.utils.parametrize.register_parametrization(convolution(), "bias", Doubled()),
    "reflected": lambda: nn.utils.parametrize.register_parametrization(
        nn.Conv2d(8, 12, (3, 5), padding=(2, 1), padding_mode="reflect"), "weight", Doubled()
    ),
    "spectral norm by hook": lambda: torch.nn.utils.spectral_norm(convolution()),
    "pruned": lambda: twice_pruned(convolution()),
}


def layer_and_input(name):
    torch.manual_seed(0)
    layer = LAYERS[name]()
    x = torch.randn(2, 3, 8) if isinstance(layer, nn.Linear) else torch.randn(2, 8, 11, 10)
    layer.train()(x)  # hooks have run, and weights have a history
    return layer.eval(), x


@pytest.mark.parametrize("name", LAYERS)
def test_the_plain_layer_computes_what_the_layer_does(name):
    layer, x = layer_and_input(name)
    before = {key: value.clone() for key, value in layer.state_dict().items()}
    plain = plain_layer(layer)
    torch.testing.assert_close(plain(x), layer(x), rtol=1e-5, atol=1e-5)
    assert type(plain) in (nn.Conv2d, nn.Linear)
    assert all(torch.equal(layer.state_dict()[key], value) for key, value in before.items())


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("training", [True, False])
def test_students_start_from_the_kernel_and_the_layer_stays_as_it_is(name, training):
    layer, x = layer_and_input(name)
    network = nn.Sequential(layer).train(training)
    students = LinearStudent(gamma=1, multiple=full_rank(layer), keep_dearer=True)
    delta = dd.convert(network, students, lambda _: ["0"])
    block = delta_blocks(delta)["0"]
    assert block.training == training
    assert type(block.teacher) is type(layer)
    delta.eval(), network.eval()
    assert torch.equal(delta(x), network(x))
    bias = layer.bias if layer.bias is None or isinstance(layer, nn.Linear) else layer.bias[:, None, None]
    change = layer(x) - (0 if bias is None else bias)
    for candidate in (block.uncompressed, block.compressed):
        torch.testing.assert_close(candidate(x), change, rtol=1e-4, atol=1e-4)
    assert dd.conversion_report(delta)[0].converted


@pytest.mark.parametrize("name", ["standardised", "weight norm", "spectral norm by hook", "pruned"])
def test_networks_of_such_layers_are_deployed_counted_and_streamed(name):
    torch.manual_seed(0)
    first, last = nn.Conv2d(3, 8, 1), nn.Conv2d(12, 2, 1)
    delta = dd.convert(nn.Sequential(first, LAYERS[name](), last), LinearStudent(gamma=4))
    losses = dd.distill(delta, torch.rand(2, 2, 3, 12, 11), steps=2, cost=0.9, progress=False)
    assert losses
    deployed = dd.deploy(delta.eval())
    assert dd.count_macs(deployed, (3, 12, 11)).delta > 0
    stream, frame = dd.Stream(deployed, period=2), torch.rand(1, 3, 12, 11)
    torch.testing.assert_close(stream(frame), stream(frame))  # a still picture stays


class _Activates(nn.Conv2d):
    def forward(self, x):
        return F.relu(super().forward(x))


class _ActivatesInPlace(nn.Conv2d):
    def forward(self, x):
        return super().forward(x).relu_()


class _Pads(nn.Conv2d):
    def forward(self, x):
        return super().forward(F.pad(x, (0, 1, 0, 1)))


class _Halves(nn.Conv2d):
    def forward(self, x):
        return super().forward(x.mul_(0.5))


class _Depends(nn.Conv2d):
    def forward(self, x):
        return F.conv2d(x, self.weight * x.mean(), self.bias)


class _Branches(nn.Conv2d):
    def forward(self, x):
        return super().forward(x) + F.conv2d(x, self.weight)


class _AddsBias(nn.Conv2d):
    def forward(self, x):
        return F.conv2d(x, self.weight, self.bias + 1)


class _Offsets(nn.Conv2d):
    def forward(self, x, offsets):
        return super().forward(x + offsets)


class _Fails(nn.Conv2d):
    message = ""

    def forward(self, x):
        raise ValueError(self.message)


@pytest.mark.parametrize(
    ("message", "said"), [("the first line\nthe second", "the first line"), ("", "ValueError")]
)
def test_a_forward_that_fails_is_named_with_the_first_line_that_it_says(message, said, monkeypatch):
    monkeypatch.setattr(_Fails, "message", message)
    with pytest.raises(NoKernelError, match=f"which does not run on one tensor alone: {said}$"):
        plain_layer(_Fails(4, 6, 3))


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (_Activates, "changes what the kernel gives"),
        (_ActivatesInPlace, "changes what the kernel gives"),
        (_Pads, "changes its input"),
        (_Halves, "changes its input"),
        (_Depends, "makes its weight from its input"),
        (_Branches, "2 convolutions"),
        (_AddsBias, "another bias"),
        (_Offsets, "does not run on one tensor alone"),
    ],
)
def test_a_forward_that_is_more_than_a_kernel_is_refused_with_the_reason(kind, reason):
    with pytest.raises(NoKernelError, match=f"{kind.__name__}.*{reason}"):
        plain_layer(kind(4, 6, 3))
    assert reason in LinearStudent().reason_against(kind(4, 6, 3))


def test_a_plain_layer_is_itself():
    layer = nn.Conv2d(4, 6, 3)
    assert plain_layer(layer) is layer


class Bare(nn.Conv2d):
    """Gives the convolution its weight alone, or by name."""

    by_name = False

    def forward(self, x):
        return F.conv2d(input=x, weight=2 * self.weight) if self.by_name else F.conv2d(x, 2 * self.weight)


@pytest.mark.parametrize("by_name", [False, True])
@torch.no_grad()
def test_what_a_forward_leaves_out_is_as_the_convolution_has_it(by_name):
    layer = Bare(3, 4, (3, 2), stride=(3, 1), padding=(1, 2), dilation=(1, 2), bias=False)  # of no account
    layer.by_name = by_name
    plain, x = plain_layer(layer), torch.randn(2, 3, 9, 8)
    assert type(plain) is nn.Conv2d
    assert (plain.stride, plain.padding, plain.dilation, plain.groups) == ((1, 1), (0, 0), (1, 1), 1)
    assert plain.bias is None
    torch.testing.assert_close(plain(x), layer(x))
