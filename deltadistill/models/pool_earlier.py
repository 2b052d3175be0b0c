"""Students of ReDistill (Chen et al., TMLR 2025): the same network, whose maps become small earlier.

Peak memory lies where maps are large. A student strides further in its first convolution and less later: its
last map keeps its size, and every layer the shape of its weights.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

_POOLINGS = (nn.MaxPool2d, nn.AvgPool2d)

Stride = int | tuple[int, int]
"""By how many places a layer goes on; of a convolution, rows and columns may differ."""

# The published ones, in their own names: stem, then a digit for each stage or block. Here only what samples
# down in the network has a place: stem and four more (of residual networks: pooling, and stages 2, 3, 4).
SCHEDULES: dict[str, tuple[int, ...]] = {
    "mobilenetv2-1-1222121": (1, 2, 2, 2, 2),  # teachers on STL-10 at 128×128 do not stride in the stem
    "mobilenetv2-4-1221111": (4, 2, 2, 1, 1),
    "mobilenetv2-8-1211111": (8, 2, 1, 1, 1),
    "mobilenetv3_small-1-22121111211": (1, 2, 2, 2, 2),
    "mobilenetv3_small-4-22111111111": (4, 2, 2, 1, 1),
    "resnext18-1-21222": (1, 2, 2, 2, 2),
    "resnext18-2-21221": (2, 2, 2, 2, 1),
    "resnext18-4-11221": (4, 1, 2, 2, 1),
    "resnext18-8-11211": (8, 1, 2, 1, 1),
    "ddpm-1222": (1, 2, 2, 2),
    "ddpm-2221": (2, 2, 2, 1),
    **{f"resnet{depth}-8-11221": (8, 1, 2, 2, 1) for depth in (18, 34, 50, 101, 152)},  # ImageNet
}


@dataclass
class SamplingPlace:
    """Layers that take maps from one size to the next, such as a block's convolution and its shortcut's."""

    stride: int
    layers: list[str] = field(default_factory=list)


def pool_earlier(
    network: nn.Module,
    factor: int | None = None,
    *,
    schedule: str | Sequence[Stride] | None = None,
    size: Sequence[int] = (3, 224, 224),
) -> nn.Module:
    """A copy of a convolutional network that samples down earlier; weights are kept.

    factor: the first convolution strides so many times further, and the last places that sample down no more.
    schedule: in its stead the stride of every place, or a name of SCHEDULES; a convolution may stride by rows
    and columns, (2, 1). size: of a frame, (C, H, W).

    Raises ValueError for both or neither, for a factor that the later places do not make up, for a schedule
    of another length or an unknown name, and where a map gets no row or the network does not run any more.
    """
    strides = earlier_strides(network, factor, schedule=schedule, size=size)
    student = set_strides(copy.deepcopy(network), strides)
    _require_maps(student, size, strides)
    return student


def earlier_strides(
    network: nn.Module,
    factor: int | None = None,
    *,
    schedule: str | Sequence[Stride] | None = None,
    size: Sequence[int] = (3, 224, 224),
) -> dict[str, Stride]:
    """Strides of a student's convolutions and poolings, by name; arguments as of `pool_earlier`."""
    if (factor is None) == (schedule is None):
        raise ValueError(f"give a factor or a schedule, not both: got {factor} and {schedule}")
    places = sampling_places(network, size)
    strides = _moved(places, factor) if schedule is None else _strides(schedule, places)
    return {name: stride for place, stride in zip(places, strides, strict=True) for name in place.layers}


def set_strides(network: nn.Module, strides: Mapping[str, Stride]) -> nn.Module:
    """Give convolutions and poolings other strides, in place; returns the network.

    A network whose maps grow again has a method `follow_strides()`, which makes the rest fit.
    Raises ValueError for a layer that there is not, that has no stride, and for a stride below 1.
    """
    layers = dict(network.named_modules())
    for name, stride in strides.items():
        layer = layers.get(name)
        pair = isinstance(layer, nn.Conv2d) and _is_pair(stride)
        if not (pair or (isinstance(layer, (nn.Conv2d, *_POOLINGS)) and _is_number(stride))):
            raise ValueError(
                f"{name} is {_kind(layer)} and gets stride {stride!r:.50}; expected a convolution "
                "or pooling of maps, and a whole number from 1; of a convolution, or two"
            )
        _stride(layer, stride)
    if hasattr(network, "follow_strides"):
        network.follow_strides()
    return network


def sampling_places(network: nn.Module, size: Sequence[int]) -> list[SamplingPlace]:
    """Where a network samples down, in the order of running; its first convolution is the first place."""
    places: dict[tuple[int, ...], SamplingPlace] = {}
    for name, layer, before, after in _runs(network, size):
        stride = _stride_of(layer)
        if stride > 1 or not places:
            key = (*before, *after)
            places.setdefault(key, SamplingPlace(stride)).layers.append(name)
    if not places:
        raise ValueError(f"{type(network).__name__} has no convolution that runs on a frame of {tuple(size)}")
    return list(places.values())


_Run = tuple[str, nn.Module, tuple[int, ...], tuple[int, ...]]


@torch.no_grad()
def _runs(network: nn.Module, size: Sequence[int]) -> list[_Run]:
    """Convolutions and poolings as they run on a frame without values; rows and columns before and after."""
    copied = copy.deepcopy(network).to("meta").eval()
    runs: list[_Run] = []

    def hook(name: str, layer: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> None:
        runs.append((name, layer, tuple(inputs[0].shape[2:]), tuple(output.shape[2:])))

    with ExitStack() as hooks:
        for name, module in copied.named_modules():
            if isinstance(module, (nn.Conv2d, *_POOLINGS)):
                hooks.callback(module.register_forward_hook(partial(hook, name)).remove)
        copied(torch.zeros(1, *size, device="meta", dtype=_dtype(copied)))
    return runs


def _dtype(network: nn.Module) -> torch.dtype:
    return next((each.dtype for each in network.parameters()), torch.get_default_dtype())


def _stride_of(layer: nn.Module) -> int:
    stride = layer.stride
    return max(stride) if isinstance(stride, tuple) else int(stride)  # type: ignore[arg-type]


def _is_number(stride: Any) -> bool:
    return type(stride) is int and stride >= 1


def _is_pair(stride: Any) -> bool:
    return isinstance(stride, (tuple, list)) and len(stride) == 2 and all(map(_is_number, stride))


def _moved(places: Sequence[SamplingPlace], factor: int | None) -> list[Stride]:
    assert factor is not None
    strides, left = [place.stride for place in places], factor
    for number in reversed(range(1, len(strides))):
        if left > 1 and left % strides[number] == 0:
            left //= strides[number]
            strides[number] = 1
    if left != 1 or factor < 2:
        raise ValueError(
            f"factor {factor} cannot be taken from the strides {[place.stride for place in places[1:]]}; a "
            "product of some of them can"
        )
    return [strides[0] * factor, *strides[1:]]


def _strides(schedule: str | Sequence[Stride] | None, places: Sequence[SamplingPlace]) -> Sequence[Stride]:
    if isinstance(schedule, str):
        if schedule not in SCHEDULES:
            raise ValueError(f"schedule {schedule!r} is unknown; allowed: {', '.join(SCHEDULES)}, or strides")
        schedule = SCHEDULES[schedule]
    assert schedule is not None
    if len(schedule) != len(places) or not all(_is_number(each) or _is_pair(each) for each in schedule):
        where = ", ".join(f"{place.layers[0]} ({place.stride})" for place in places)
        raise ValueError(f"a schedule has a stride of at least 1 for each of {where}; got {list(schedule)}")
    return schedule


def _kind(layer: nn.Module | None) -> str:
    return "no layer of the network" if layer is None else f"a {type(layer).__name__}"


def _stride(layer: nn.Module, stride: Stride) -> None:
    if isinstance(layer, nn.Conv2d):
        rows, columns = (stride, stride) if isinstance(stride, int) else stride
        layer.stride = (rows, columns)
    elif stride == 1 and _side(layer.padding) == 0:  # it would take rows off
        layer.kernel_size = layer.stride = 1
    else:
        layer.stride = stride


def _side(value: Any) -> int:
    return max(value) if isinstance(value, tuple) else int(value)


def _require_maps(student: nn.Module, size: Sequence[int], strides: Mapping[str, Stride]) -> None:
    try:
        runs = _runs(student, size)
    except RuntimeError as error:
        first = str(error).splitlines()[0]
        raise ValueError(
            f"with strides {dict(strides)} {type(student).__name__} does not run on {tuple(size)}: {first}"
        ) from error
    for name, _, _, after in runs:
        if math.prod(after) == 0:
            raise ValueError(f"with strides {dict(strides)} the map of {name} has size {after}; stride less")
