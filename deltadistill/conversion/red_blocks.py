"""RED blocks in a student whose maps are coarser than its teacher's: where they stand, who teaches them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from deltadistill.forward.modes import evaluation_mode
from deltadistill.forward.named_modules import named_module
from deltadistill.models.red_block import REDBlock, WithREDBlocks

Side = Literal["input", "output"]
_SAMPLING = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)


@dataclass(frozen=True)
class Attachment:
    """A RED block at a module of the student, taught by a module of the teacher, at the same side of both.

    The maps that are compared have equal rows and columns; channels are averaged, and may differ.
    """

    module: str
    taught_by: str
    side: Side = "output"


Place = tuple[str, Side]


@torch.no_grad()
def found_attachments(student: nn.Module, teacher: nn.Module, frames: Tensor) -> list[Attachment]:
    """Attachments after the student's layers that sample down, for frames (N, C, H, W) that both take.

    At each size of maps it is the first convolution or pooling that makes it; the teacher's is the first of
    its own that makes that size, with equally many channels where there is one. A size that none of the
    teacher's has is left out. Raises ValueError where none is left.
    """
    taught: dict[tuple[int, ...], list[tuple[str, int]]] = {}
    for name, shape in _sampled_down(teacher, frames):
        taught.setdefault(shape[2:], []).append((name, shape[1]))
    first = {shape[2:]: (name, shape[1]) for name, shape in reversed(list(_sampled_down(student, frames)))}
    found = [
        Attachment(name, _best(taught[size], channels))
        for size, (name, channels) in sorted(first.items(), reverse=True)
        if size in taught
    ]
    if not found:
        raise ValueError(
            f"no layer of {type(student).__name__} that samples down makes maps of a size that one of "
            f"{type(teacher).__name__} makes: {sorted(first)} and {sorted(taught)}; name the attachments"
        )
    return found


def _best(candidates: Sequence[tuple[str, int]], channels: int) -> str:
    return next((name for name, others in candidates if others == channels), candidates[0][0])


def _sampled_down(network: nn.Module, frames: Tensor) -> list[tuple[str, tuple[int, ...]]]:
    """Convolutions and poolings whose output is smaller than their input, as they run, and its shape."""
    found: list[tuple[str, tuple[int, ...]]] = []

    def hook(name: str, _module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if output.dim() == 4 and output.shape[2:].numel() < inputs[0].shape[2:].numel():
            found.append((name, tuple(output.shape)))

    with ExitStack() as hooks, evaluation_mode(network):
        for name, module in network.named_modules():
            if isinstance(module, _SAMPLING):
                hooks.callback(module.register_forward_hook(partial(hook, name)).remove)
        network(frames)
    return found


@torch.no_grad()
def attach_red_blocks(student: nn.Module, attachments: Iterable[Attachment], frames: Tensor) -> nn.Module:
    """Put a RED block at each attachment, in place; returns the student, ready to be trained.

    frames: (N, C, H, W) that the student takes, to see how many channels there are. Raises ValueError for a
    module that it does not have, a side that is attached twice, and for what is no map (N, C, H, W).
    """
    places = [(each.module, each.side) for each in attachments]
    if len(set(places)) < len(places):
        raise ValueError(f"a module has two RED blocks at one side: {sorted(places)}; name each side once")
    with evaluation_mode(student), watched_places(student, places) as seen:
        student(frames)
    return put_red_blocks(
        student, {place: _channels(place, seen.get(place)) for place in places}, like=frames
    )


def put_red_blocks(
    student: nn.Module, channels: Mapping[Place, int], *, like: Tensor | None = None
) -> nn.Module:
    """Put RED blocks of so many channels at places, in place; returns the student.

    like: whose device and type the blocks have. Raises ValueError for a module that it does not have.
    """
    blocks = {place: REDBlock(count) for place, count in channels.items()}
    if like is not None:
        blocks = {place: block.to(like) for place, block in blocks.items()}
    for name in sorted({name for name, _ in channels}, key=len, reverse=True):  # what lies within comes first
        sides = {"before": blocks.get((name, "input")), "after": blocks.get((name, "output"))}
        layer = named_module(student, name, wanted_by="a RED block")
        student.set_submodule(name, WithREDBlocks(layer, **sides))
    return student


def red_place(attachment: Attachment) -> Place:
    """Where the RED block's own output is seen in a student that has it."""
    return f"{attachment.module}.{'before' if attachment.side == 'input' else 'after'}", "output"


@contextmanager
def watched_places(network: nn.Module, places: Sequence[Place]) -> Iterator[dict[Place, Tensor]]:
    """Collect the first input, or the output, of named modules in the last of their calls inside."""
    seen: dict[Place, Tensor] = {}
    with ExitStack() as hooks:
        for place in dict.fromkeys(places):
            module = named_module(network, place[0], wanted_by="a RED block")
            hooks.callback(module.register_forward_hook(_noting(seen, place)).remove)
        yield seen


def _noting(seen: dict[Place, Tensor], place: Place) -> Any:
    def hook(_module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        seen[place] = inputs[0] if place[1] == "input" else output

    return hook


def _channels(place: Place, seen: Any) -> int:
    if not isinstance(seen, Tensor) or seen.dim() != 4:
        what = f"shape {tuple(seen.shape)}" if isinstance(seen, Tensor) else type(seen).__name__
        raise ValueError(f"the {place[1]} of {place[0]} is {what}; a RED block needs a map (N, C, H, W)")
    return seen.shape[1]
