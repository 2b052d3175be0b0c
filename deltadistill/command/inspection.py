"""Looks into a network: cost and time per layer, what converts and why not, the bound of the gain."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.account.layer_rows import layer_rows
from deltadistill.account.measured_memory import pytorch_bytes
from deltadistill.account.memory import count_macs_and_memory
from deltadistill.blocks.linear import LinearStudent
from deltadistill.command import network_arguments
from deltadistill.command.inspected_memory import memory_of_frame, memory_of_stream
from deltadistill.command.inspected_peaks import peaks_below
from deltadistill.command.inspection_text import printed
from deltadistill.command.layer_times import LayerTimes, layer_times
from deltadistill.conversion.convert import convert
from deltadistill.conversion.selectors import inner_layers
from deltadistill.models.anchor_layout import AnchorLayout
from deltadistill.stored.named_network import NamedNetwork, open_network

_SIZE = (512, 1024)
_CLASSES = 19  # Cityscapes', where the network asks for a number
_SMALL = 8  # a conversion is tried at a fraction of each side: it asks for axes, not for numbers
_STEP, _LEAST = 32, 128  # pixels


def inspect(arguments: argparse.Namespace) -> dict[str, Any]:
    """Do what the command line asks for; return everything as plain values, printed where no JSON is."""
    torch.manual_seed(0)
    options = network_arguments.options(arguments)
    named = open_network(
        arguments.network,
        classes=arguments.classes,
        or_classes=_CLASSES,
        options=options,
        own_names=arguments.own,
    )
    size = arguments.size or _own_size(named) or _SIZE
    students = LinearStudent(gamma=arguments.gamma, rank=arguments.rank, initialisation="random")
    device = torch.device(arguments.device)
    asked = {"peaks": arguments.peaks, "memory_mib": arguments.memory_mib}
    result = inspected(named, size, students, arguments.lengths, device, **asked)
    if not arguments.json:
        print(printed(result, everything=arguments.all))
    return result


def _own_size(named: NamedNetwork) -> tuple[int, int] | None:
    """Of the frames for which the network, or its weights, were made; None where they take any."""
    if "size" in named.pictures:
        return tuple(named.pictures["size"])
    return named.network.anchors.image_size if _is_for_one_size(named.network) else None


def _is_for_one_size(network: nn.Module) -> bool:
    """Whether its anchors were laid out when it was built."""
    return isinstance(getattr(network, "anchors", None), AnchorLayout)


def inspected(
    named: NamedNetwork,
    size: tuple[int, int],
    students: LinearStudent,
    lengths: Sequence[int],
    device: torch.device,
    *,
    peaks: bool = False,
    memory_mib: float | None = None,
) -> dict[str, Any]:
    """Everything there is to say of a network on frames of a size (height, width), as plain values.

    peaks: whether ways to a lower peak of memory are looked for, as they are with memory_mib: of a frame,
    weights apart, within which its first layers are to run patch by patch.
    """
    network = named.network.to(device)
    entry = _entry(network, size)
    try:
        times, held = _run(network, entry, device)
    except (RuntimeError, ValueError, AssertionError, TypeError, IndexError) as error:
        raise ValueError(
            f"{named.model['name']} does not run on one frame of 3×{size[0]}×{size[1]}: {_first_line(error)}"
            "; give another --size, or a function that returns a network for such frames"
        ) from error
    delta, problem = _converted(network.to("cpu"), students, entry)
    table, frame = count_macs_and_memory(delta or network, tuple(entry.frame.shape[1:]), run=entry.own_run)
    rows = layer_rows(delta, table) if delta else [_plain_row(row) for row in table.rows]
    milliseconds = {row["layer"]: times.layers.get(row["layer"]) for row in rows}
    return {
        "network": named.model["name"],
        "size": list(size),
        "notes": list(named.notes),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "macs": table.teacher,
        "frame_ms": times.frame,
        "timed_rounds": times.rounds,
        "layers": [row | {"ms": milliseconds[row["layer"]]} for row in rows],
        "outside_layers_ms": max(0.0, times.frame - sum(times.layers.values())),
        "students": {"gamma": students.gamma, "rank": students.rank},
        "nothing_converts": problem,
        "delta_macs": table.delta,
        "memory": memory_of_frame(network, frame) | {"pytorch": held},
        "stream_memory": memory_of_stream(delta, entry.frame, entry.own_run, on_values=table.on_values)
        if delta
        else None,
        "lower_peaks": (
            peaks_below(network, entry.frame, entry.run, memory_mib) if peaks or memory_mib else None
        ),
        "bounds": [_bound(length, table, rows, milliseconds, times) for length in lengths],
    }


def _run(network: nn.Module, entry: "_Entry", device: torch.device) -> tuple[LayerTimes, int]:
    """Its times, and the bytes that PyTorch holds in the first round: some frames take seconds."""
    held: list[int] = []
    times = layer_times(
        network,
        lambda: entry.run(network, entry.frame.to(device)),
        device=device,
        around_first=lambda run: held.append(pytorch_bytes(run, device)),
    )
    return times, held[0]


@dataclass(frozen=True)
class _Entry:
    """A frame as the network takes it, and how it is run on frames (N, 3, H, W)."""

    frame: Tensor
    run: Callable[[nn.Module, Tensor], Any]
    example: Callable[[Tensor], Any]

    @property
    def own_run(self) -> Callable[[nn.Module, Tensor], Any] | None:
        """How it is run where it is not just called with frames."""
        return None if self.example(self.frame) is self.frame else self.run


def _entry(network: nn.Module, size: tuple[int, int]) -> _Entry:
    """Frames as one tensor, or, as torchvision's detectors take them, as a list of pictures."""
    frame = torch.rand(1, 3, *size)
    if _is_torchvision_detector(network):
        return _Entry(frame, lambda module, frames: module(list(frames)), lambda frames: (list(frames),))
    return _Entry(frame, lambda module, frames: module(frames), lambda frames: frames)


def _is_torchvision_detector(network: nn.Module) -> bool:
    return type(network).__module__.startswith("torchvision.models.detection")


def _converted(
    network: nn.Module, students: LinearStudent, entry: _Entry
) -> tuple[nn.Module | None, str | None]:
    """The converted network; or None and why nothing converts."""
    try:
        return _convert(network, students, entry), None
    except ValueError as error:
        return None, str(error)


def _convert(network: nn.Module, students: LinearStudent, entry: _Entry) -> nn.Module:
    """Convert on a small example where the network takes one, else on one of the full size."""
    frame = entry.frame
    small = tuple(max(_LEAST, side // _SMALL // _STEP * _STEP) for side in frame.shape[2:])
    if small < tuple(frame.shape[2:]) and not _is_for_one_size(network):
        try:
            return _converted_on_small(network, students, entry, small)
        except (ValueError, RuntimeError, AssertionError):
            pass  # made for one size, or too deep for a small one: said below, at the full size, if at all
    return convert(network, students, inner_layers, example=entry.example(frame), progress=False)


def _converted_on_small(
    network: nn.Module, students: LinearStudent, entry: _Entry, small: tuple[int, ...]
) -> nn.Module:
    """Convert on frames of a small size, which detectors of torchvision's parts would make large again."""
    example = entry.example(torch.rand(2, 3, *small))
    sizes = getattr(network, "transform", None)
    if not (hasattr(sizes, "min_size") and hasattr(sizes, "max_size")):
        return convert(network, students, inner_layers, example=example, progress=False)
    own = sizes.min_size, sizes.max_size
    sizes.min_size, sizes.max_size = (min(small),), max(small)
    try:
        delta = convert(network, students, inner_layers, example=example, progress=False)
    finally:
        sizes.min_size, sizes.max_size = own
    delta.transform.min_size, delta.transform.max_size = own
    return delta


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _plain_row(row: Any) -> dict[str, Any]:
    return {
        "layer": row.name,
        "operator": row.operator,
        "teacher_macs": row.teacher_macs,
        "compressed_macs": None,
        "convertible": False,
        "reason": "nothing converts",
    }


def _bound(
    length: int,
    table: Any,
    rows: Sequence[Mapping[str, Any]],
    milliseconds: Mapping[str, float | None],
    times: LayerTimes,
) -> dict[str, float]:
    """How many times cheaper a frame is at most: by MACs, and by the time of the layers that convert."""
    saved = sum(
        (milliseconds[row["layer"]] or 0.0) * (1 - row["compressed_macs"] / row["teacher_macs"])
        for row in rows
        if row["convertible"] and row["teacher_macs"] and row["compressed_macs"] is not None
    )
    shorter = times.frame - saved * (length - 1) / length
    return {
        "length": length,
        "by_macs": table.teacher / table.amortised(length) if table.teacher else 1.0,
        "by_time": times.frame / shorter,
    }
