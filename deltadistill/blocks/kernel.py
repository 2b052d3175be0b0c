"""The convolution or the matrix that a layer applies: its weight, or what its forward makes of the weight.

A subclass that changes nothing, a parametrised or pruned layer, and one that standardises its weight all
apply one kernel to their input. The layer stays what it is and trains as it did; its students start from the
kernel.
"""

from copy import deepcopy
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrize import type_before_parametrizations
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm
from torch.overrides import TorchFunctionMode

from deltadistill.forward.modes import copy_with_modes, evaluation_mode

Layer = nn.Conv2d | nn.Linear
Plain = TypeVar("Plain", nn.Conv2d, nn.Linear)

_WEIGHT_HOOKS = (WeightNorm, SpectralNorm, BasePruningMethod)  # set `weight` anew before every forward
_DEFAULTS = {"bias": None, "stride": 1, "padding": 0, "dilation": 1, "groups": 1}
_EXTRA = ((5, 8), (7, 4))  # rows and columns beyond the kernel's: two sizes, neither square


class NoKernelError(ValueError):
    """The layer does not apply one kernel to its input; the message says what it does instead."""


@torch.no_grad()
def plain_layer(layer: Layer) -> Layer:
    """Return the plain Conv2d or Linear that computes what `layer` does in evaluation mode.

    That is the layer itself where it is plain; else a new one with a copy of the kernel as its weight. A
    forward of its own is run on noise: it must hand its input, as it is, to one convolution or product whose
    weight does not depend on it, add `layer.bias` and nothing else, and return what comes out.
    Raises NoKernelError where it does not.
    """
    if _is_plain(layer):
        return layer
    kind = type_before_parametrizations(layer)
    if _keeps_forward(layer, kind):
        return _with_weight(layer, *_weight_and_bias(layer))
    return _observed(layer)


def _is_plain(layer: Layer) -> bool:
    return type(layer) in (nn.Conv2d, nn.Linear) and "forward" not in vars(layer) and not _weight_hooks(layer)


def _weight_hooks(layer: Layer) -> list[Any]:
    return [hook for hook in layer._forward_pre_hooks.values() if isinstance(hook, _WEIGHT_HOOKS)]


def _keeps_forward(layer: Layer, kind: Any) -> bool:
    if "forward" in vars(layer):
        return False
    if isinstance(layer, nn.Linear):
        return kind.forward is nn.Linear.forward
    return kind.forward is nn.Conv2d.forward and kind._conv_forward is nn.Conv2d._conv_forward


def _weight_and_bias(layer: Layer) -> tuple[Tensor, Tensor | None]:
    with evaluation_mode(layer):  # in training a spectral norm would take a step of its iteration
        for hook in _weight_hooks(layer):
            hook(layer, ())
        return layer.weight, layer.bias


def _with_weight(layer: Layer, weight: Tensor, bias: Tensor | None) -> Layer:
    if isinstance(layer, nn.Linear):
        return _linear(weight, bias, layer)
    settings = {name: getattr(layer, name) for name in ("stride", "padding", "dilation", "groups")}
    return _convolution(weight, bias, layer, **settings, padding_mode=layer.padding_mode)


def _linear(weight: Tensor, bias: Tensor | None, layer: Layer) -> nn.Linear:
    plain = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    return _filled(plain, weight, bias, layer)


def _convolution(
    weight: Tensor, bias: Tensor | None, layer: Layer, *, groups: int, **settings: Any
) -> nn.Conv2d:
    outputs, inputs, kernel_h, kernel_w = weight.shape
    options: dict[str, Any] = {"groups": groups, "bias": bias is not None, "device": "meta", **settings}
    plain = nn.Conv2d(inputs * groups, outputs, (kernel_h, kernel_w), **options)
    return _filled(plain, weight, bias, layer)


def _filled(plain: Plain, weight: Tensor, bias: Tensor | None, layer: Layer) -> Plain:
    plain.weight = nn.Parameter(weight.detach().clone(memory_format=torch.contiguous_format))
    if bias is not None:
        plain.bias = nn.Parameter(bias.detach().clone())
    return plain.train(layer.training)


class _Watch(TorchFunctionMode):
    """Keeps the convolutions and products of a forward: arguments, result, and what was changed by then."""

    def __init__(self, x: Tensor):
        super().__init__()
        self._x = x
        self.calls: list[tuple[dict[str, Any], Tensor, int]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = self._x._version
        result = func(*args, **(kwargs or {}))
        if func in (F.conv2d, F.linear):
            names = ("input", "weight", *_DEFAULTS)
            given = _DEFAULTS | dict(zip(names, args, strict=False)) | (kwargs or {})
            self.calls.append((given, result, before))
        return result


def _observed(layer: Layer) -> Layer:
    """Make the plain layer of what the forward does on two inputs of different sizes."""
    with torch.inference_mode(False):
        one, other = (_applied(layer, extra) for extra in _EXTRA)
        named = type(layer).__name__
        for name in ("weight", "bias"):
            if not _same(one[name], other[name]):
                raise NoKernelError(
                    f"{named} makes its {name} from its input; leave it out, it runs per frame"
                )
        if not _same(one["bias"], layer.bias):
            raise NoKernelError(f"{named} adds another bias than `layer.bias`; put it there")
    settings = {name: one[name] for name in _DEFAULTS if name != "bias"}
    if one["weight"].dim() == 2:
        return _linear(one["weight"], one["bias"], layer)
    return _convolution(one["weight"], one["bias"], layer, **settings)


def _applied(layer: Layer, extra: tuple[int, int]) -> dict[str, Any]:
    """Arguments of the one convolution or product that the forward consists of."""
    named = f"{type(layer).__name__} has a forward of its own"
    twin, x = copy_with_modes(layer).eval(), _noise(layer, extra)
    try:
        with _Watch(x) as watch:
            output = twin(x)
    except Exception as error:  # whatever a forward that nobody here knows raises on one input
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise NoKernelError(f"{named}, which does not run on one tensor alone: {first}") from None
    if len(watch.calls) != 1:
        raise NoKernelError(
            f"{named} with {len(watch.calls)} convolutions or products, where one was expected"
        )
    given, result, changes_before = watch.calls[0]
    if given["input"] is not x or changes_before:
        raise NoKernelError(
            f"{named}, which changes its input (pads or scales it) before the kernel is applied"
        )
    if output is not result or output._version:
        raise NoKernelError(
            f"{named}, which changes what the kernel gives (a norm, an activation, a second branch): make "
            "that a module of its own, or merge it into the weight"
        )
    return given


def _noise(layer: Layer, extra: tuple[int, int]) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    if isinstance(layer, nn.Linear):
        shape: tuple[int, ...] = (*extra[:1], layer.in_features)
    else:
        reach = zip(layer.kernel_size, layer.dilation, extra, strict=True)
        shape = (2, layer.in_channels, *((kernel - 1) * dilation + more for kernel, dilation, more in reach))
    parameter = next(layer.parameters())
    return torch.randn(shape, generator=generator).to(parameter.device, parameter.dtype)


def _same(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.is_meta or torch.equal(one, other)


def without_bias(layer: Layer, plain: Layer) -> Layer:
    """Return a copy of `plain` without a bias, all of it learning; `plain` may be `layer` itself."""
    copy = deepcopy(plain) if plain is layer else plain
    copy.bias = None
    return copy.requires_grad_(True)  # of a frozen teacher too
