"""The memory of a stream: weights, maps kept between frames, the peaks of a key and of a delta frame."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from deltadistill.account.dataflow import Dataflow, watched
from deltadistill.account.memory import memory_table
from deltadistill.account.memory_table import MemoryTable
from deltadistill.account.recording import meta_copy
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.exporting.functions import DeltaFunctions, Run, delta_functions
from deltadistill.forward.quick_shapes import QuickShapes

_WITHIN = "whole.network."


@dataclass(frozen=True)
class StreamMemory:
    """Bytes of a stream as a runner has it, by theory with lifetimes.

    weights: of teacher and students, each once. maps: kept from a key frame on. frame, key, delta: accounts
    of the teacher alone, of a key frame, which makes the maps, and of a delta frame, which holds them.
    """

    weights: int
    maps: int
    frame: MemoryTable
    key: MemoryTable
    delta: MemoryTable

    @property
    def peak(self) -> int:
        """The most of maps and frames at once, weights apart; old maps are let go before a key frame."""
        return max(self.key.peak, self.delta.peak)

    @property
    def total(self) -> int:
        """Weights and peak."""
        return self.weights + self.peak


@torch.no_grad()
def stream_memory(network: nn.Module, example: Tensor, *, run: Run | None = None) -> StreamMemory:
    """Count the memory of a stream of a delta network, in evaluation mode, on frames like `example`.

    example: (1, C, H, W), where the weights are. The functions that a runner is exported from run once each,
    batch norms folded as there, on copies without storage; on values only where shapes depend on them.
    Of a network with a method `fixed_shapes` (see `count_macs`) it is that which is counted, without `run`.
    A plain network keeps no maps, and every frame of it is alike.
    """
    if run is None and hasattr(network, "fixed_shapes"):
        network = cast(Callable[[], nn.Module], network.fixed_shapes)().eval()
    try:
        with torch.device("meta"), torch.inference_mode(False), QuickShapes():
            return _counted(_without_storage(network), example.to("meta"), run, on_values=False)
    except _WITHOUT_VALUES:
        return _counted(network, example, run, on_values=True)


_WITHOUT_VALUES = (RuntimeError, TypeError, ValueError, AssertionError, IndexError)
"""What networks raise that look at the values of tensors without any; with values they raise their own."""


def _without_storage(network: nn.Module) -> nn.Module:
    """A copy that has decided as the gates of the network prefer, whose values it does not have."""
    copy = meta_copy(network)
    twins = delta_blocks(copy)
    for name, block in delta_blocks(network).items():
        twins[name].decide(block.choice)
    return copy


def _counted(network: nn.Module, example: Tensor, run: Run | None, *, on_values: bool) -> StreamMemory:
    return memory_of(delta_functions(network, example, run=run), example, on_values=on_values)


@torch.no_grad()
def memory_of(functions: DeltaFunctions, example: Tensor, *, on_values: bool = True) -> StreamMemory:
    """The same of functions that are there already, on what they take as a frame, with values or without."""
    maps = list(functions.maps.values())
    frame, key = _flow(functions.frame, [example]), _flow(functions.key, [example])
    delta = _flow(functions.delta, [example, *maps])
    weights = key.constants | delta.constants
    return StreamMemory(
        weights=sum(weights.values()),
        maps=functions.state_bytes,
        frame=_table(frame, on_values),
        key=_table(key, on_values),
        delta=_table(delta, on_values, kept=range(1, 1 + len(maps))),
    )


def _flow(function: nn.Module, inputs: Sequence[Tensor]) -> Dataflow:
    with watched(function, inputs) as flow:
        function(*inputs)
    return flow


def _table(flow: Dataflow, on_values: bool, **options: Any) -> MemoryTable:
    table = memory_table(flow, sum(flow.constants.values()), on_values=on_values, **options)
    rows = tuple(replace(row, name=row.name.removeprefix(_WITHIN)) for row in table.rows)
    return replace(table, rows=rows)
