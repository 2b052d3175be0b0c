"""Which modules of a network see frames along the first axis of their input: found by running it.

A converted block pairs rows of its input in time: the N key frames first, then the N second frames, and so
on. Heads on regions, sequences whose first axis is the tokens, and modules whose parent reads their weights
and never calls them do not fit that, and no knowledge of their classes would tell.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map, tree_map_only

from deltadistill.conversion.example import Example, first_frame, run_on_example
from deltadistill.forward.modes import evaluation_mode
from deltadistill.forward.watching import OperatorWatch

# Operators whose number of rows depends on values.
_COUNTING = {
    "torchvision::nms",
    "aten::nonzero",
    "aten::masked_select",
    "aten::repeat_interleave",
    "aten::_unique2",
    "aten::unique_dim",
    "aten::unique_consecutive",
    "aten::unique_dim_consecutive",
}
# Operators that give as many rows for every content, but other ones.
_CHOOSING = {"aten::topk", "aten::sort", "aten::multinomial"}
_SAMPLES = 1024  # elements of a row that are compared: bounds the memory, and a wrong order shows in any


@dataclass(frozen=True)
class FrameAxis:
    """What the first axis of a module's input is.

    rows_per_frame: 1 where the rows are frames; more where a frame is cut into as many windows.
    reason: why the rows are not frames; empty where they are.
    """

    rows_per_frame: int = 1
    reason: str = ""


@dataclass(frozen=True)
class _Call:
    shape: tuple[int, ...] | None  # None: the module got something else than one tensor
    rows: Tensor  # (rows, samples); empty without a shape
    counted_by: tuple[str, ...]  # operators before the call whose number of rows depends on content
    chosen_by: tuple[str, ...]  # those and the ones that choose as many rows by content


@torch.no_grad()
def probe_frame_axes(
    network: nn.Module, modules: Collection[nn.Module], example: Example
) -> dict[nn.Module, FrameAxis]:
    """Run `network` in evaluation mode on two frames, each alone and both together; judge each module.

    The rows are frames where those of both together are those of the one, then those of the other, as many
    for each. More than one row per frame (windows) must not have been picked by content before: proposals
    can have equal counts by chance. The two frames are the first of `example` and one made from it.
    Raises ValueError for an example without a frame, and what the network raises on it.
    """
    one = first_frame(example)
    other = tuple(tree_map_only(Tensor, _changed, argument) for argument in one)
    both = tuple(map(_joined, one, other))
    with evaluation_mode(network):
        runs = [_run(network, modules, arguments) for arguments in (one, other, both)]
    return {module: _judge_module(*(run[module] for run in runs)) for module in modules}


def _changed(frame: Tensor) -> Tensor:
    """Return other content of the same kind: mirrored, with noise inside the frame's range."""
    if not frame.dim():
        return frame
    mirrored = frame.flip(-1)
    if not frame.is_floating_point():
        return mirrored
    low, high = frame.aminmax()
    noise = torch.rand(frame.shape, generator=torch.Generator().manual_seed(0)).to(frame)
    return 0.75 * mirrored + 0.25 * (low + (high - low) * noise)


def _joined(one: Any, other: Any) -> Any:
    if isinstance(one, list):
        return one + other
    return tree_map(lambda a, b: torch.cat([a, b]) if isinstance(a, Tensor) and a.dim() else a, one, other)


def _run(
    network: nn.Module, modules: Collection[nn.Module], arguments: tuple[Any, ...]
) -> dict[nn.Module, list[_Call]]:
    calls: dict[nn.Module, list[_Call]] = {module: [] for module in modules}
    watch = _ContentWatch()

    def record(module: nn.Module, args: tuple[Any, ...]) -> None:
        x = args[0] if len(args) == 1 and isinstance(args[0], Tensor) and args[0].dim() else None
        shape, rows = (None, torch.empty(0)) if x is None else (tuple(x.shape), _sampled(x))
        counting, choosing = sorted(watch.counting), sorted(watch.choosing)
        calls[module].append(_Call(shape, rows, tuple(counting), tuple(counting + choosing)))

    with calls_seen(modules, record), watch:
        run_on_example(network, arguments)
    return calls


@contextmanager
def calls_seen(
    modules: Collection[nn.Module], record: Callable[[nn.Module, tuple[Any, ...]], None]
) -> Iterator[None]:
    """Call `record(module, arguments)` before each forward.

    Not by hooks: transformer layers that see one go without their fused operator, which calls no layer.
    """
    own = {module: vars(module).get("forward") for module in modules}

    def seen(module: nn.Module, forward: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            record(module, (*args, *kwargs.values()))
            return forward(*args, **kwargs)

        return run

    for module in modules:
        module.forward = seen(module, module.forward)
    try:
        yield
    finally:
        for module, forward in own.items():
            del module.forward
            if forward is not None:
                module.forward = forward


def _sampled(x: Tensor) -> Tensor:
    rows = x.detach().reshape(x.shape[0], x.shape[1:].numel())
    return rows[:, :: max(1, rows.shape[1] // _SAMPLES)].clone()  # what follows may change x in place


class _ContentWatch(OperatorWatch):
    """Remembers the operators so far whose rows depend on what the tensors hold."""

    def __init__(self) -> None:
        super().__init__()
        self.counting: set[str] = set()
        self.choosing: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name
        if name in _COUNTING or (name == "aten::index" and _has_mask(args[1])):
            self.counting.add(name)
        elif name in _CHOOSING:
            self.choosing.add(name)
        return func(*args, **(kwargs or {}))


def _has_mask(indices: Sequence[Tensor | None]) -> bool:
    return any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in indices)


def _judge_module(one: list[_Call], other: list[_Call], both: list[_Call]) -> FrameAxis:
    if not one and not both:
        return FrameAxis(
            reason="its forward is never called: the network leaves it out, or reads its weights directly"
        )
    if not len(one) == len(other) == len(both):
        return FrameAxis(
            reason=f"it does not run on all frames at once: {len(one)} and {len(other)} call(s) for a frame "
            f"each, {len(both)} for 2 frames"
        )
    found = [_judge_call(*calls) for calls in zip(one, other, both, strict=True)]
    refused = next((axis for axis in found if axis.reason), None)
    if refused is None and len({axis.rows_per_frame for axis in found}) > 1:
        return FrameAxis(reason="its calls differ in their number of rows per frame")
    return refused or found[0]


def _judge_call(one: _Call, other: _Call, both: _Call) -> FrameAxis:
    if one.shape is None or other.shape is None or both.shape is None:
        return FrameAxis(reason="it is not called with one tensor and nothing else")
    per_frame = one.shape[0]
    chosen_by = both.counted_by if per_frame == 1 else both.chosen_by
    rows = f"its first axis is not frames: {both.shape[0]} row(s) for 2 frames"
    if chosen_by:
        return FrameAxis(reason=f"{rows}, chosen by content ({', '.join(chosen_by)})")
    if both.shape[0] != 2 * per_frame or per_frame == 0:
        return FrameAxis(reason=f"{rows}, {per_frame} for 1 frame")
    if one.shape != other.shape or one.shape[1:] != both.shape[1:]:
        shapes = f"{one.shape}, {other.shape} for a frame each, {both.shape} for both"
        return FrameAxis(reason=f"the shape of its input depends on content: {shapes}")
    if not all(call.rows.isfinite().all() for call in (one, other, both)):
        return FrameAxis(reason="its input is not finite on the example, which therefore tells nothing")
    if not _are_one_after_the_other(one.rows, other.rows, both.rows):
        return FrameAxis(reason=f"{rows}, which are not the one's and then the other's")
    return FrameAxis(rows_per_frame=per_frame)


def _are_one_after_the_other(one: Tensor, other: Tensor, both: Tensor) -> bool:
    """Compare loosely: rows in another order differ by as much as the frames do, rounding by far less.

    A network with random weights may be so ill-conditioned that rounding alone moves a row by a tenth of
    what tells the frames apart.
    """
    rounding = 100 * torch.finfo(both.dtype).eps if both.is_floating_point() else 0.0
    one, other, both = one.double(), other.double(), both.double()
    error = (both - torch.cat([one, other])).norm()
    return bool(error <= 0.25 * (one - other).norm() + rounding * both.norm())
