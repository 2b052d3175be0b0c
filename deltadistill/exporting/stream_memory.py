"""The memory of a stream: weights, maps kept between frames, the peaks of a key and of a delta frame."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.account.dataflow import Dataflow, watched
from deltadistill.account.memory import memory_table
from deltadistill.account.memory_table import MemoryTable
from deltadistill.exporting.functions import DeltaFunctions, Run, delta_functions

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
    on values; batch norms are folded as there. A plain network keeps no maps, and every frame of it is alike.
    """
    return memory_of(delta_functions(network, example, run=run), example)


@torch.no_grad()
def memory_of(functions: DeltaFunctions, example: Tensor) -> StreamMemory:
    """The same of functions that are there already, on what they take as a frame."""
    maps = list(functions.maps.values())
    frame, key = _flow(functions.frame, [example]), _flow(functions.key, [example])
    delta = _flow(functions.delta, [example, *maps])
    weights = key.constants | delta.constants
    return StreamMemory(
        weights=sum(weights.values()),
        maps=functions.state_bytes,
        frame=_table(frame),
        key=_table(key),
        delta=_table(delta, kept=range(1, 1 + len(maps))),
    )


def _flow(function: nn.Module, inputs: Sequence[Tensor]) -> Dataflow:
    with watched(function, inputs) as flow:
        function(*inputs)
    return flow


def _table(flow: Dataflow, **options: Any) -> MemoryTable:
    table = memory_table(flow, sum(flow.constants.values()), on_values=True, **options)
    rows = tuple(replace(row, name=row.name.removeprefix(_WITHIN)) for row in table.rows)
    return replace(table, rows=rows)
