"""The MAC account of any module, by operator and shape, on meta tensors wherever shapes suffice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from deltadistill.account.macs_table import Chosen, Frames, LayerMacs, MacTable, Uncounted
from deltadistill.account.operators import Convention, check_convention
from deltadistill.account.recording import Call, Recording, meta_copy, record, value_copy
from deltadistill.blocks.candidates import COMPRESSED, RULE, UNCOMPRESSED
from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.seat import Seat
from deltadistill.forward.outputs import called

__all__ = ["Convention", "LayerMacs", "MacTable", "Uncounted", "count_macs"]


def count_macs(
    network: nn.Module,
    inputs: Sequence[int] | Sequence[Tensor],
    *,
    convention: Convention = "convolution",
    run: Callable[..., object] | None = None,
) -> MacTable:
    """Count what one frame of `network` costs, per layer and per candidate of each converted block.

    `inputs` is the shape of one frame, such as (3, 1024, 2048), in the type of the network's weights, or the
    arguments of forward as tensors. The network runs once in evaluation mode on copies without storage and
    is not changed; no knowledge of its classes is needed. Rows come in the order in which layers first run.
    Where shapes depend on values, as in detectors that choose proposals, it runs once more on the CPU with
    the tensors given, or on a black frame, and the account is of that input: `table.on_values` is true.
    A network may have a method `fixed_shapes`, which returns a module of its own parts that does the same
    work for every frame; for the shape of a frame that is what is counted.
    run: how the network is run on `inputs`, where not just called: run(network, frame) for a shape. It should
        make what it adds on the frame's device and in its type, such as frame.new_full; None: called.
    Convention: see `deltadistill.account.operators.Convention`.

    Raises ValueError for an unknown convention, for a shape with a batch axis, and for a network on meta
    tensors that needs their values.
    """
    check_convention(convention)
    if run is None and hasattr(network, "fixed_shapes") and _is_shape(inputs):
        network = cast(Callable[[], nn.Module], network.fixed_shapes)()
    try:
        return _account(network, inputs, convention, run, device="meta")
    except _NeedsValues as error:
        if any(tensor.is_meta for tensor in (*network.parameters(), *network.buffers())):
            raise ValueError(
                f"the forward pass needs the values of its tensors, and the weights have none ({error}); "
                "build the network with weights, or count the parts whose shapes do not depend on values, as "
                "models.faster_rcnn.FixedShapes does for a detector"
            ) from error
    except RuntimeError as error:
        if not _is_batch_of_one(inputs):
            raise
        raise ValueError(
            f"the network does not run on a frame of shape {tuple(inputs)}; expected the shape of one frame "
            f"without a batch axis, such as {tuple(inputs[1:])}"
        ) from error
    return _account(network, inputs, convention, run, device="cpu")


def _is_shape(inputs: Sequence[int] | Sequence[Tensor]) -> bool:
    return all(isinstance(size, int) for size in inputs)


def _is_batch_of_one(inputs: Sequence[int] | Sequence[Tensor]) -> bool:
    return len(inputs) == 4 and isinstance(inputs[0], int) and inputs[0] == 1


class _NeedsValues(Exception):  # noqa: N818, never leaves this module
    """Shapes alone do not tell what the network does."""


def _account(
    network: nn.Module,
    inputs: Sequence[int] | Sequence[Tensor],
    convention: Convention,
    run: Callable[..., object] | None,
    *,
    device: str,
) -> MacTable:
    blocks = {name: module for name, module in network.named_modules() if _is_block(module)}
    # A seat that is taken by a stream or a clip must not decide here: in the copy, blocks run per frame.
    seats = {id(block.seat): Seat() for block in blocks.values()}
    make_copy = meta_copy if device == "meta" else value_copy
    copy = make_copy(network, instead=seats)
    arguments = _inputs(inputs, _dtype(network), device)
    forward = partial(run or called, copy)
    recording = _record(forward, arguments, convention, device=device, named=copy, watch=_is_block)
    candidates = _candidates(copy, recording, convention, device)
    chosen = {name: block.choice for name, block in blocks.items()}
    rows = []
    for calls in _grouped(recording.calls, set(blocks)):
        block = calls[0].module if calls[0].module in blocks else None
        costs = {c: runs for (name, c), runs in candidates.items() if name == block}
        rows.append(_row(calls, costs, chosen.get(block)))
    uncounted = tuple(_uncounted(recording, candidates, chosen))
    return MacTable(convention, tuple(rows), uncounted, on_values=device != "meta")


@dataclass
class _Candidate:
    """Operator calls of one candidate: on a delta frame, and what it adds to a key frame."""

    delta: list[Call] = field(default_factory=list)
    key: list[Call] = field(default_factory=list)


def _is_block(module: nn.Module) -> bool:
    return isinstance(module, DeltaBlock)


def _dtype(network: nn.Module) -> torch.dtype:
    """Floating type of the network's weights, in which a frame enters it."""
    floating = (parameter.dtype for parameter in network.parameters() if parameter.is_floating_point())
    return next(floating, torch.get_default_dtype())


def _inputs(inputs: Sequence[int] | Sequence[Tensor], dtype: torch.dtype, device: str) -> tuple[Any, ...]:
    if _is_shape(inputs):
        return (torch.zeros(1, *inputs, device=device, dtype=dtype),)
    return tree_map_only(Tensor, lambda tensor: _moved(tensor, device), tuple(inputs))


def _moved(tensor: Tensor, device: str) -> Tensor:
    if device == "meta" or tensor.is_meta:
        return torch.zeros_like(tensor, device=device)
    return tensor.detach().to(device, copy=True)


def _record(
    run: Callable[..., Any], arguments: Sequence[Any], convention: Convention, *, device: str, **options: Any
) -> Recording:
    try:
        return record(run, arguments, convention, device=device, **options)
    except (NotImplementedError, RuntimeError) as error:
        if device != "meta" or "meta" not in str(error).lower():
            raise
        raise _NeedsValues(str(error)) from error


def _candidates(
    copy: nn.Module, recording: Recording, convention: Convention, device: str
) -> dict[tuple[str, str], _Candidate]:
    """What the candidates of every block do: by shapes where these tell, even if the network needs values."""
    if device == "meta":
        return _run_candidates(copy, recording, convention, device)
    try:
        without = Recording(
            arguments=tree_map_only(Tensor, partial(_moved, device="meta"), recording.arguments)
        )
        return _run_candidates(meta_copy(copy), without, convention, "meta")
    except (_NeedsValues, RuntimeError):
        return _run_candidates(copy, recording, convention, device)


@torch.no_grad()
def _run_candidates(
    copy: nn.Module, recording: Recording, convention: Convention, device: str
) -> dict[tuple[str, str], _Candidate]:
    """Run each candidate of each block on the input of each of its calls, as streamed frames would."""
    candidates: dict[tuple[str, str], _Candidate] = {}
    for name, (x, *_) in recording.arguments:
        block = cast(DeltaBlock, copy.get_submodule(name))
        for choice in block.candidates or (RULE,):  # without those that deploy dropped
            block.decide(choice)
            candidate = candidates.setdefault((name, choice), _Candidate())
            z = block.teacher(x)
            key = _record(block.state_of, (x, z), convention, device=device)
            delta = _record(block.delta, (x, block.state_of(x, z)), convention, device=device)
            candidate.key.extend(key.calls)
            candidate.delta.extend(delta.calls)
    return candidates


def _grouped(calls: Iterable[Call], blocks: set[str]) -> Iterable[list[Call]]:
    """Group counted calls by layer and operator, and all of a block's into one group."""
    groups: dict[tuple[str, str], list[Call]] = {}
    for call in calls:
        if call.macs is not None:
            key = (call.module, "" if call.module in blocks else call.operator)
            groups.setdefault(key, []).append(call)
    return groups.values()


def _total(calls: Iterable[Call]) -> int:
    return sum(call.macs or 0 for call in calls)


def _row(calls: list[Call], candidates: dict[str, _Candidate], chosen: Chosen | None) -> LayerMacs:
    first = max(calls, key=lambda call: call.macs or 0)  # of a block of several operators: the dearest
    delta = {choice: _total(candidate.delta) for choice, candidate in candidates.items()}
    key = {choice: _total(candidate.key) for choice, candidate in candidates.items()}
    return LayerMacs(
        name=first.module,
        operator=first.operator.removeprefix("aten."),
        input_shape=first.input_shape,
        output_shape=first.output_shape,
        calls=len(calls),
        teacher_macs=_total(calls),
        uncompressed_macs=delta.get(UNCOMPRESSED),
        compressed_macs=delta.get(COMPRESSED),
        uncompressed_key_macs=key.get(UNCOMPRESSED, 0),
        compressed_key_macs=key.get(COMPRESSED, 0),
        rule_macs=delta.get(RULE),
        rule_key_macs=key.get(RULE, 0),
        chosen=chosen,
        kernel=first.kernel,
        stride=first.stride,
        groups=first.groups,
    )


def _uncounted(
    recording: Recording, candidates: dict[tuple[str, str], _Candidate], chosen: dict[str, Chosen]
) -> Iterable[Uncounted]:
    every = [call for call in recording.calls if call.module not in chosen]
    used = [candidates[item] for item in chosen.items() if item in candidates]
    key = [call for call in recording.calls if call.module in chosen]
    key += [call for candidate in used for call in candidate.key]
    delta = [call for candidate in used for call in candidate.delta]
    by_frames: dict[Frames, list[Call]] = {"every": every, "key": key, "delta": delta}
    for frames, calls in by_frames.items():
        number: Counter[str] = Counter()
        elements: Counter[str] = Counter()
        for call in calls:
            if call.macs is None:
                number[call.operator] += 1
                elements[call.operator] += call.elements
        for operator, size in elements.most_common():
            yield Uncounted(operator.removeprefix("aten."), number[operator], size, frames)
