"""A bound on a stream's memory, kept before a training: which blocks convert, so that their maps fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from deltadistill.account.candidate_costs import macs_of_blocks
from deltadistill.account.knapsack import optimal_selection
from deltadistill.account.macs import count_macs
from deltadistill.account.memory_table import MIB
from deltadistill.blocks.candidates import COMPRESSED, UNCOMPRESSED
from deltadistill.blocks.delta_network import delta_blocks, require_candidates
from deltadistill.blocks.design import Student
from deltadistill.conversion.convert import convert
from deltadistill.conversion.selectors import Selector, inner_convolutions
from deltadistill.exporting.functions import DeltaFunctions, Run, delta_functions
from deltadistill.exporting.state_budget import block_of
from deltadistill.exporting.stream_memory import memory_of
from deltadistill.forward.kept_bytes import kept_bytes


@torch.no_grad()
def within_memory(
    network: nn.Module,
    students: Student,
    where: Selector = inner_convolutions,
    *,
    frames: Tensor,
    most: float,
    predicts: str = "delta",
    run: Run | None = None,
) -> Selector:
    """Of the modules that `where` selects, those to convert so that a stream takes no more, for `convert`.

    A trained block keeps a map whichever candidate a search chooses; a module that is left alone keeps none.
    So modules are left alone until the peak of a stream fits, a few at a time: of all sets of blocks with so
    much less of maps, that stays whose students save the most multiply-accumulates.

    network: a plain one. students, predicts, run: as for `convert`. frames: (N, C, H, W), of the size that
    streams have. most: MiB of the peak of a key frame and of a delta frame, with the maps that are kept and
    weights apart (`stream_memory`), whichever candidate each block comes to have.
    Raises ValueError where even a frame of the plain network takes more, and where no map fits beside it.
    """
    budget, chosen = most * MIB, where
    frame = frames[:1].clone()  # memory of its own: a view's counts as all that it is a view of
    while True:
        trial = convert(
            network, students, chosen, predicts=predicts, example=frames, run=run, progress=False
        ).eval()
        require_candidates(trial)
        functions = _functions(trial, frame, run)
        found = [memory_of(each, frame) for each in functions]
        peak = max(each.peak for each in found)
        if peak <= budget:
            return chosen
        maps = _bytes_by_block(functions)
        kept = _kept(maps, _saved(trial, frames, run), beyond=peak - budget)
        if not kept:
            raise _nothing_fits(found[0].frame.peak, most)
        chosen = _only(where, kept)


def _only(where: Selector, kept: set[str]) -> Selector:
    return lambda network: [name for name in where(network) if name in kept]


def _functions(trial: nn.Module, frame: Tensor, run: Run | None) -> list[DeltaFunctions]:
    """The functions with every block compressed, and with every block uncompressed, as trained."""
    found = []
    for candidate in (COMPRESSED, UNCOMPRESSED):
        for block in delta_blocks(trial).values():
            block.decide(candidate)
            for parameter in block.student_parameters():
                parameter.add_(1.0)  # another kernel than the teacher's: its map is kept
        found.append(delta_functions(trial, frame, run=run))
    return found


def _saved(trial: nn.Module, frames: Tensor, run: Run | None) -> dict[str, float]:
    """MACs of a delta frame that each block's compressed candidate saves."""
    costs = macs_of_blocks(count_macs(trial, tuple(frames.shape[1:]), run=run))
    return {name: uncompressed - compressed for name, (uncompressed, compressed) in costs.blocks.items()}


def _bytes_by_block(functions: Sequence[DeltaFunctions]) -> dict[str, float]:
    """Of every block the larger memory of its candidates' maps."""
    largest: dict[str, float] = {}
    for each in functions:
        found: dict[str, float] = {}
        for name, tensor in each.maps.items():
            found[block_of(name)] = found.get(block_of(name), 0) + kept_bytes([tensor])
        largest |= {name: max(size, largest.get(name, 0)) for name, size in found.items()}
    return largest


def _kept(maps: Mapping[str, float], saved: Mapping[str, float], *, beyond: float) -> set[str]:
    """Blocks without maps, and of the others those that save the most in some less memory; never all.

    A block that goes takes more from the peak than its map, by up to its input and output, so that the last
    ones go one by one.
    """
    free = {name for name in saved if name not in maps}
    if not maps:
        return set()
    capacity = sum(maps.values()) - max(beyond - 2 * max(maps.values()), 1)
    return free | (optimal_selection(maps, capacity, least=0, logits=saved) if capacity > 0 else set())


def _nothing_fits(plain: int, memory_mib: float) -> ValueError:
    return ValueError(
        f"a frame of the plain network takes {plain / MIB:.3f} MiB beside its weights, and {memory_mib:g} "
        "MiB are given (memory_mib); no student's maps fit beside that: give more, smaller frames, or a "
        "network with smaller maps (docs/memory.md, Students with a lower peak)"
    )
