"""Theoretical peak memory of any module: a curve over its operators under two conventions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from torch import Tensor, nn

from deltadistill.account.dataflow import Dataflow, watched
from deltadistill.account.lifetimes import held_bytes
from deltadistill.account.macs import MacTable, count_macs
from deltadistill.account.memory_table import MemoryTable, StepMemory
from deltadistill.account.published_memory import published_bytes
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.forward.outputs import called


def count_memory(
    network: nn.Module,
    inputs: Sequence[int] | Sequence[Tensor],
    *,
    run: Callable[..., object] | None = None,
    kept: Collection[int] = (),
) -> MemoryTable:
    """Count the memory that one frame of `network` needs for what its layers make, weights apart.

    `inputs`, `run` and the copies without storage on which the network runs once are as for `count_macs`, its
    errors too; the type of the weights, or of the tensors given, decides what an element takes. Blocks of a
    delta network run their teachers; `stream_memory` has the memory of key and delta frames.
    kept: numbers of inputs that are held to the end, as maps are that the next frame needs.
    """
    network = _of_fixed_shapes(network, inputs, run)
    flow, on_values = network_flow(network, inputs, run=run)
    return memory_table(flow, weight_bytes(network), kept=kept, on_values=on_values)


def count_macs_and_memory(
    network: nn.Module, inputs: Sequence[int], *, run: Callable[..., object] | None = None
) -> tuple[MacTable, MemoryTable]:
    """What `count_macs` and `count_memory` count, in one pass; of a frame that teachers answer.

    inputs: the shape of a frame. Rows of what a block's teacher does have the name of the block, as in the
    plain network; its weights are those of teachers and students.
    """
    network = _of_fixed_shapes(network, inputs, run)
    flow, table = _watched_pass(network, inputs, run)
    memory = memory_table(flow, weight_bytes(network), on_values=table.on_values)
    blocks = {f"{name}.teacher": name for name in delta_blocks(network)}
    return table, replace(memory, rows=tuple(_named_as_plain(row, blocks) for row in memory.rows))


def _named_as_plain(row: StepMemory, blocks: Mapping[str, str]) -> StepMemory:
    """A row under the name that its layer has where it is in no block."""
    for teacher, name in blocks.items():
        if row.name == teacher or row.name.startswith(f"{teacher}."):
            return replace(row, name=name + row.name.removeprefix(teacher))
    return row


def network_flow(
    network: nn.Module,
    inputs: Sequence[int] | Sequence[Tensor],
    *,
    run: Callable[..., object] | None = None,
) -> tuple[Dataflow, bool]:
    """The graph of one frame, as `count_memory` takes it, and whether it is that of one frame's values."""
    flow, table = _watched_pass(_of_fixed_shapes(network, inputs, run), inputs, run)
    return flow, table.on_values


def _watched_pass(
    network: nn.Module, inputs: Sequence[int] | Sequence[Tensor], run: Callable[..., object] | None
) -> tuple[Dataflow, MacTable]:
    flows: list[Dataflow] = []

    def watching(copy: nn.Module, *arguments: Any) -> object:
        with watched(copy, arguments) as flow:
            flows.append(flow)
            return (run or called)(copy, *arguments)

    table = count_macs(network, inputs, run=watching)
    return flows[-1], table


def _of_fixed_shapes(
    network: nn.Module, inputs: Sequence[int] | Sequence[Tensor], run: Callable[..., object] | None
) -> nn.Module:
    if run is None and hasattr(network, "fixed_shapes") and all(isinstance(size, int) for size in inputs):
        return cast(Callable[[], nn.Module], network.fixed_shapes)()
    return network


def memory_table(
    flow: Dataflow, weights: int, *, kept: Collection[int] = (), on_values: bool = False
) -> MemoryTable:
    """The account of a pass that was watched; `kept` as for `count_memory`, `weights` in bytes."""
    if not flow.steps:
        raise ValueError("the network makes nothing of its inputs: no operator reads them")
    held = [flow.inputs[number] for number in kept]
    return MemoryTable(_rows(flow, held), weights, _size(flow, flow.inputs), on_values)


def weight_bytes(network: nn.Module) -> int:
    """Bytes of a network's parameters and buffers; what several modules share counts once."""
    storages = {
        tensor.untyped_storage()._cdata: tensor.untyped_storage().nbytes()
        for tensor in (*network.parameters(), *network.buffers())
    }
    return sum(storages.values())


def _rows(flow: Dataflow, kept: Sequence[int]) -> tuple[StepMemory, ...]:
    last = flow.last_reads(kept)
    return tuple(
        StepMemory(
            name=step.module,
            operator=step.operator.removeprefix("aten."),
            read=step.read_bytes,
            made=_size(flow, step.writes),
            held=held,
            held_inputs=sum(flow.sizes[buffer] for buffer in flow.inputs if last[buffer] >= number),
            published=published,
        )
        for number, (step, held, published) in enumerate(
            zip(flow.steps, held_bytes(flow, kept), published_bytes(flow), strict=True)
        )
    )


def _size(flow: Dataflow, buffers: Sequence[int]) -> int:
    return sum(flow.sizes[buffer] for buffer in buffers)
