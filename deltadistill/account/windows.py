"""Where an operator looks: which rows and columns of its inputs stand behind those of its output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

Interval = tuple[int, int]
"""Places from the first up to, and without, the second; none where that is no larger."""


@dataclass(frozen=True)
class Span:
    """Along one axis: place i of the output reads `kernel` places, from i · stride − padding on."""

    kernel: int = 1
    stride: int = 1
    padding: int = 0
    dilation: int = 1

    def reaches(self, made: Interval) -> Interval:
        """What the places `made` read, those beyond the map's border among them."""
        first = made[0] * self.stride - self.padding
        last = (made[1] - 1) * self.stride - self.padding + self.dilation * (self.kernel - 1)
        return first, last + 1

    def read_for(self, made: Interval, size: int) -> Interval:
        """What the places `made` read of an axis of `size` places."""
        if made[1] <= made[0]:
            return 0, 0
        first, end = self.reaches(made)
        return min(max(first, 0), size), max(min(end, size), 0)


Window = tuple[Span, Span]
"""Along rows, and along columns."""


def hull(intervals: Sequence[Interval]) -> Interval:
    """The smallest interval that has all of them."""
    there = [interval for interval in intervals if interval[0] < interval[1]]
    if not there:
        return 0, 0
    return min(first for first, _ in there), max(end for _, end in there)


def window_of(operator: str, kind: str, args: Sequence[Any]) -> Window | None:
    """The window of an operator call on maps (N, C, H, W); None for one that sees more, or is not known."""
    if operator in _WINDOWS:
        return _WINDOWS[operator](args)
    return None if kind == "layer" else (Span(), Span())


def lies_as(tensor: Tensor, shape: Sequence[int]) -> bool:
    """Whether a tensor has the rows and columns of a map of this shape, in their order."""
    if tensor.dim() != 4 or tuple(tensor.shape[2:]) != tuple(shape[2:]):
        return False
    return tensor.stride(2) == tensor.shape[3] * tensor.stride(3)


_POOLING: tuple[Any, ...] = (None, (), 0, 1)  # kernel, stride, padding, dilation where they are left out


def _convolution(args: Sequence[Any]) -> Window | None:
    _, weight, _, stride, padding, dilation, transposed, *_ = args
    return None if transposed else _window(weight.shape[2:], stride, padding, dilation)


def _max_pool(args: Sequence[Any]) -> Window | None:
    kernel, stride, padding, dilation = (*args[1:5], *_POOLING[len(args) - 1 :])
    return _window(kernel, stride or kernel, padding, dilation)


def _mean_pool(args: Sequence[Any]) -> Window | None:
    kernel, stride, padding = (*args[1:4], *_POOLING[len(args) - 1 : 3])
    return _window(kernel, stride or kernel, padding, 1)


def _padded(args: Sequence[Any]) -> Window | None:
    pads = args[1]  # left, right, top, bottom
    return (Span(padding=pads[2]), Span(padding=pads[0])) if len(pads) == 4 else None


def _window(*settings: Sequence[int] | int) -> Window | None:
    pairs = [_pair(setting) for setting in settings]
    if any(len(pair) != 2 for pair in pairs):
        return None
    return Span(*(pair[0] for pair in pairs)), Span(*(pair[1] for pair in pairs))


def _pair(setting: Sequence[int] | int) -> tuple[int, ...]:
    if isinstance(setting, int):
        return setting, setting
    return tuple(setting) * 2 if len(setting) == 1 else tuple(setting)


_WINDOWS: dict[str, Callable[[Sequence[Any]], Window | None]] = {
    "aten.convolution": _convolution,
    "aten.max_pool2d_with_indices": _max_pool,
    "aten.avg_pool2d": _mean_pool,
    "aten.constant_pad_nd": _padded,
}
