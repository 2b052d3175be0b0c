"""Mirrors of a block: the same layers with fewer channels (§3.1)."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from deltadistill.blocks.kernel import Layer, NoKernelError, plain_layer
from deltadistill.forward.modes import copy_with_modes

_Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.SyncBatchNorm
_KEPT = ("kernel_size", "stride", "padding", "dilation", "padding_mode")  # of a convolution
_PER_CHANNEL = ("weight", "bias", "running_mean", "running_var")


class NoMirrorError(ValueError):
    """The block has a layer that cannot be made narrower; the message says which and why."""


def narrow_channels(channels: int, gamma: int) -> int:
    """Return ⌈channels / gamma⌉: a function of the count alone, so that layers that fit still fit."""
    return -(-channels // gamma)


def narrow_mirror(block: nn.Module, gamma: int) -> nn.Module:
    """Return `block` with every layer's channels divided by gamma and fresh weights.

    Convolutions are drawn at random (Kaiming), norms start as the identity.
    Raises NoMirrorError for layers with parameters other than convolutions, linear layers and batch norms.
    """
    return _narrowed(copy_with_modes(block), gamma, {})


def _narrowed(module: nn.Module, gamma: int, made: dict[nn.Module, nn.Module]) -> nn.Module:
    """Return what stands for `module` in the mirror; `made` so far, as a module may be registered twice."""
    if module not in made:
        is_layer = list(module.parameters(recurse=False)) or is_parametrized(module)
        made[module] = _narrow_layer(module, gamma) if is_layer else module
        for name, child in made[module]._modules.items():
            if child is not None:
                made[module]._modules[name] = _narrowed(child, gamma, made)
    return made[module]


def _narrow_layer(layer: nn.Module, gamma: int) -> nn.Module:
    """Return a narrow layer in place of `layer`, which belongs to the mirror and may be changed."""
    weight = next(layer.parameters())
    like: dict[str, Any] = {"device": weight.device, "dtype": weight.dtype}
    if isinstance(layer, nn.Conv2d | nn.Linear):
        layer = _plain(layer)
    if isinstance(layer, nn.Conv2d):
        return _narrow_convolution(layer, gamma, like).train(layer.training)
    if isinstance(layer, nn.Linear):
        inputs, outputs = (narrow_channels(c, gamma) for c in (layer.in_features, layer.out_features))
        return nn.Linear(inputs, outputs, bias=layer.bias is not None, **like).train(layer.training)
    if isinstance(layer, _Norm):
        return _narrowed_norm(layer, gamma)
    raise NoMirrorError(f"it holds a {type(layer).__name__}, which has no narrower mirror")


def _plain(layer: Layer) -> Layer:
    """The plain layer that does what `layer` does: its mirror has fresh weights, which are its own."""
    try:
        return plain_layer(layer)
    except NoKernelError as error:
        raise NoMirrorError(f"it holds a layer without a mirror: {error}") from None


def _narrowed_norm(layer: _Norm, gamma: int) -> nn.Module:
    """Make the norm itself narrower: a subclass may hold more (timm's hold their activation)."""
    tensors = {**layer._parameters, **layer._buffers}
    unknown = [name for name in tensors if name not in (*_PER_CHANNEL, "num_batches_tracked")]
    if unknown:
        raise NoMirrorError(f"it holds a {type(layer).__name__}, whose {unknown} have no narrower mirror")
    layer.num_features = narrow_channels(layer.num_features, gamma)
    for name in _PER_CHANNEL:
        if (tensor := tensors.get(name)) is not None:
            narrow = torch.empty_like(tensor[: layer.num_features])
            setattr(layer, name, nn.Parameter(narrow) if name in layer._parameters else narrow)
    nn.BatchNorm2d.reset_parameters(layer)
    return layer


def _narrow_convolution(layer: nn.Conv2d, gamma: int, like: dict[str, Any]) -> nn.Conv2d:
    inputs, outputs = (narrow_channels(c, gamma) for c in (layer.in_channels, layer.out_channels))
    groups = inputs if layer.groups == layer.in_channels else layer.groups
    if inputs % groups or outputs % groups:
        raise NoMirrorError(f"{inputs} to {outputs} channels do not divide into {groups} groups")
    narrow = nn.Conv2d(
        inputs,
        outputs,
        groups=groups,
        bias=layer.bias is not None,
        **{name: getattr(layer, name) for name in _KEPT},
        **like,
    )
    with torch.no_grad():
        nn.init.kaiming_normal_(narrow.weight, nonlinearity="relu")
        if narrow.bias is not None:
            narrow.bias.zero_()
    return narrow


def input_channels(block: nn.Module) -> int:
    """Return the channels that a block reads: those of its first convolution."""
    for module in block.modules():
        if isinstance(module, nn.Conv2d):
            return module.in_channels
    raise NoMirrorError("it holds no convolution")


@torch.no_grad()
def output_shape(block: nn.Module, input_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Run a block on meta tensors and return its output's shape.

    Raises NoMirrorError where it does not map one map (N, C, H, W) to one, or changes its input.
    """
    probe = copy_with_modes(block).to("meta").eval()
    x = torch.empty(input_shape, device="meta", dtype=next(probe.parameters()).dtype)
    version = x._version
    try:
        output = probe(x)
    except (RuntimeError, TypeError, ValueError, NotImplementedError, IndexError) as error:
        raise NoMirrorError(
            f"it does not run on one map of {input_shape[1]} channels: {_first_line(error)}"
        ) from None
    if not isinstance(output, Tensor) or output.dim() != 4 or output.shape[0] != input_shape[0]:
        raise NoMirrorError("its output is not one map (N, C, H, W)")
    if x._version != version:
        # a skip connection around the block would read the change, which no student makes
        raise NoMirrorError("it changes its input in place; build its first layer with inplace=False")
    return tuple(output.shape)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
