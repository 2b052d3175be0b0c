"""Results of common operators on tensors without values, by their shapes alone.

PyTorch has kernels of its own for tensors on the device "meta". Many of them are written in Python: a batch
norm takes a millisecond, a bilinear resize ten, and the first of either imports PyTorch's compiler, which
takes seconds. Here the operators that networks mostly consist of have a rule. Whatever a rule does not cover
(other operators, arguments or layouts) goes on to PyTorch's kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from deltadistill.forward.watching import OperatorWatch

Rule = Callable[..., Any]
"""Takes the positional arguments of an operator; returns its result, or NotImplemented."""


class QuickShapes(OperatorWatch):
    """While it is entered, operators on meta tensors are answered by the rules of this file where one fits.

    Modes that are entered inside see the same operators and results as without it.
    """

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        rule = RULES.get(func)
        if rule is not None and not kwargs and _fits(args, any_layout=rule in _OF_ANY_LAYOUT):
            result = rule(*args)
            if result is not NotImplemented:
                return result
        return func(*args, **(kwargs or {}))


def _fits(args: Sequence[Any], *, any_layout: bool) -> bool:
    """Whether there are tensors, all without values, of one floating type, their elements in order."""
    flat = (leaf for arg in args for leaf in (arg if isinstance(arg, list | tuple) else (arg,)))
    tensors = [leaf for leaf in flat if isinstance(leaf, Tensor)]
    return bool(tensors) and all(
        tensor.is_meta
        and tensor.is_floating_point()
        and tensor.dtype == tensors[0].dtype
        and (any_layout or tensor.is_contiguous())
        for tensor in tensors
    )


def _empty(like: Tensor, shape: Sequence[int] | None = None) -> Tensor:
    """Of a type and a shape, elements in order; `empty_like` is written in Python as well."""
    return torch.empty(like.shape if shape is None else shape, dtype=like.dtype, device="meta")


def _as_input(x: Tensor, *_: Any) -> Any:
    return _empty(x)


def _in_place(x: Tensor, *_: Any) -> Any:
    return x


def _joined(parts: Sequence[Tensor], axis: int = 0) -> Any:
    first = parts[0]
    axis = axis % first.dim() if first.dim() else 0
    rests = {(*part.shape[:axis], *part.shape[axis + 1 :]) for part in parts}
    if len(rests) > 1 or not first.dim() or any(part.dim() != first.dim() for part in parts):
        return NotImplemented
    length = sum(part.shape[axis] for part in parts)
    return _empty(first, (*first.shape[:axis], length, *first.shape[axis + 1 :]))


def _stacked(parts: Sequence[Tensor], axis: int = 0) -> Any:
    first = parts[0]
    if any(part.shape != first.shape for part in parts):
        return NotImplemented
    axis %= first.dim() + 1
    return _empty(first, (*first.shape[:axis], len(parts), *first.shape[axis:]))


def _of_two(one: Any, other: Any, *_: Any) -> Any:
    """Sums and products of tensors that are broadcast, or with a number that changes no type."""
    if not isinstance(one, Tensor) or not one.is_contiguous():
        return NotImplemented
    if not isinstance(other, Tensor):
        return _empty(one) if isinstance(other, int | float) else NotImplemented
    if one.shape == other.shape:  # the first decides how the result lies
        return _empty(one)
    if not other.is_contiguous():
        return NotImplemented
    return _empty(one, torch.broadcast_shapes(one.shape, other.shape))


def _convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Any:
    fits = x.dim() == weight.dim() == len(stride) + 2 and x.shape[1] == weight.shape[1] * groups
    if transposed or not fits or weight.shape[0] % groups:
        return NotImplemented
    sizes = [
        (size + 2 * pad - dilated * (kernel - 1) - 1) // step + 1
        for size, kernel, step, pad, dilated in zip(
            x.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True
        )
    ]
    if min(sizes) < 1:
        return NotImplemented
    return _empty(x, (x.shape[0], weight.shape[0], *sizes))


def _batch_norm(
    x: Tensor, weight: Any, bias: Any, mean: Any, variance: Any, training: bool, *_: float
) -> Any:
    if training or mean is None or variance is None:
        return NotImplemented
    return _empty(x), _empty(x, x.shape[1:2]), _empty(x, x.shape[1:2])


def _layer_norm(x: Tensor, shape: Sequence[int], *_: Any) -> Any:
    if tuple(x.shape[x.dim() - len(shape) :]) != tuple(shape):
        return NotImplemented
    kept = (*x.shape[: x.dim() - len(shape)], *(1 for _ in shape))
    return _empty(x), _empty(x, kept), _empty(x, kept)


def _bilinear(x: Tensor, size: Sequence[int], *_: Any) -> Any:
    if x.dim() != 4 or x.shape[1] == 1:
        return NotImplemented  # of a single channel the layout is ambiguous
    return _empty(x, (*x.shape[:2], *size))


def _product(one: Tensor, other: Tensor) -> Any:
    if one.shape[-1] != other.shape[-2] or one.shape[:-2] != other.shape[:-2]:
        return NotImplemented
    return _empty(one, (*one.shape[:-1], other.shape[-1]))


def _product_and_bias(bias: Tensor, one: Tensor, other: Tensor) -> Any:
    if bias.shape != other.shape[-1:]:
        return NotImplemented
    return _product(one, other)


def _over_axes(x: Tensor, axes: Sequence[int] | None = None, keeps: bool = False) -> Any:
    if not axes:
        return NotImplemented
    gone = {axis % x.dim() for axis in axes}
    sizes = [1 if axis in gone else size for axis, size in enumerate(x.shape) if keeps or axis not in gone]
    return _empty(x, sizes)


_OF_ANY_LAYOUT = (_product, _product_and_bias, _of_two)  # they look at it themselves, or need not
_ATEN = torch.ops.aten
RULES: dict[Any, Rule] = {
    **dict.fromkeys(
        (
            *(_ATEN.relu.default, _ATEN.silu.default, _ATEN.gelu.default, _ATEN.elu.default),
            *(_ATEN.hardswish.default, _ATEN.hardsigmoid.default, _ATEN.hardtanh.default),
            *(_ATEN.leaky_relu.default, _ATEN.sigmoid.default, _ATEN.tanh.default),
            *(_ATEN._softmax.default, _ATEN._safe_softmax.default),
            *(_ATEN.sqrt.default, _ATEN.rsqrt.default, _ATEN.exp.default),
        ),
        _as_input,
    ),
    **dict.fromkeys(
        (
            *(_ATEN.add.Tensor, _ATEN.sub.Tensor, _ATEN.mul.Tensor, _ATEN.div.Tensor),
            *(_ATEN.add.Scalar, _ATEN.sub.Scalar, _ATEN.mul.Scalar, _ATEN.div.Scalar),
        ),
        _of_two,
    ),
    _ATEN.convolution.default: _convolution,
    _ATEN.native_batch_norm.default: _batch_norm,
    _ATEN.native_layer_norm.default: _layer_norm,
    _ATEN.upsample_bilinear2d.default: _bilinear,
    _ATEN.mm.default: _product,
    _ATEN.bmm.default: _product,
    _ATEN.addmm.default: _product_and_bias,
    _ATEN.mean.dim: _over_axes,
    _ATEN.sum.dim_IntList: _over_axes,
    _ATEN.cat.default: _joined,
    _ATEN.stack.default: _stacked,
    **dict.fromkeys((_ATEN.silu_.default, _ATEN.hardswish_.default, _ATEN.hardsigmoid_.default), _in_place),
}
