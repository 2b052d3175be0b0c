"""Times of a delta network's layers, measured in the engine that is to run it."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.blocks.candidates import CANDIDATES, COMPRESSED, UNCOMPRESSED
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.exporting.block_graphs import block_times
from deltadistill.exporting.function_times import timed
from deltadistill.exporting.functions import DeltaFunctions, Run, delta_functions
from deltadistill.exporting.layer_names import Owners, block_paths
from deltadistill.exporting.layer_times import (
    BLOCK_BY_BLOCK,
    PROFILE,
    CandidateTime,
    FunctionTimes,
    LayerTime,
    LayerTimes,
    Setting,
    require_length,
)
from deltadistill.exporting.running import Loaded
from deltadistill.forward.modes import copy_with_modes
from deltadistill.runtime.engine import Session, engines_for, open_session
from deltadistill.runtime.graphs import Graphs
from deltadistill.runtime.node_times import Profile, profile
from deltadistill.runtime.picture_form import PictureForm
from deltadistill.runtime.proving import failures, names_left, require_it_runs

_log = logging.getLogger(__name__)

_ENGINES_SECONDS = 4.0  # to find the fastest
_FEWEST_RUNS = 10  # under a profile

Parts = Mapping[str | None, FunctionTimes]
"""Milliseconds by block; of None what belongs to no block."""


def measure_layers(
    network: nn.Module,
    example: Tensor,
    *,
    engine: str = "auto",
    threads: int | None = None,
    precision: str = "fp32",
    length: int = 10,
    run: Run | None = None,
    pictures: PictureForm | None = None,
    trained: bool = False,
    seconds: float = 20.0,
) -> LayerTimes:
    """Measure what each block's teacher and candidates take in an engine, on frames like `example`.

    Every block is measured in its place, by the engine's own profile of the whole graphs. Engines that have
    none (PyTorch's, those of your own without a `profile`) run each block in a graph of its own instead; the
    result's `way` says which it was.

    network: from `convert`, not deployed, in evaluation mode; its choices are not looked at.
    example: a frame (N, C, H, W), or with `pictures` one (N, H, W, 3) of uint8; for run and pictures see
        `export`. engine: a name, or "auto" for the fastest of those that runners have here.
    threads: at most so many; None: as many as there are cores. precision: "fp32" or "bf16".
    length: of the sequences that the result's `table` is for: a key frame, then length − 1 delta frames.
    trained: take uncompressed candidates as a training leaves them, with a map; else one that still has its
        teacher's kernel is the teacher again, without a map.
    seconds: about so many for timing; graphs are made beside that. Times differ from run to run.
    Raises ValueError for a deployed network, for one without candidates, and for what no engine runs.
    """
    require_length(length)
    _require_both_candidates(network)
    compressed = delta_functions(_with(network, COMPRESSED, example), example, run=run, pictures=pictures)
    with Loaded(compressed) as loaded:
        if engine == "auto":
            engine = _fastest(loaded.graphs, example, threads=threads, precision=precision, length=length)
        setting = Setting(engine, threads, precision, example, run=run, pictures=pictures)
        whole, rounds = _whole(loaded, setting, seconds=seconds / 4)
        way, parts = _parts(loaded, setting, runs=rounds, seconds=seconds / 2)
    plain = _with(network, UNCOMPRESSED, example, trained=trained)
    functions = delta_functions(plain, example, run=run, pictures=pictures)
    uncompressed = _uncompressed(functions, setting, runs=rounds, seconds=seconds / 2, way=way)
    rows = _rows(parts, uncompressed, compressed, functions)
    rest = parts[None] if way == PROFILE else _left(whole, parts)
    return LayerTimes(rows, rest, whole, way, setting, length)


def _whole(loaded: Loaded, setting: Setting, *, seconds: float) -> tuple[FunctionTimes, int]:
    """Times of the functions as a stream runs them, and how many runs a profile takes in as many seconds."""
    require_it_runs(loaded.graphs, setting.engine, **_how(setting))
    session = opened(loaded.graphs, setting)
    found, rounds = timed({"whole": (session, loaded.graphs)}, seconds=seconds)
    return found["whole"], max(rounds, _FEWEST_RUNS)


def _uncompressed(
    functions: DeltaFunctions, setting: Setting, *, runs: int, seconds: float, way: str
) -> Parts:
    """Times of blocks whose uncompressed candidates have maps; nothing where each is its teacher again."""
    if not functions.maps:
        return {}
    with Loaded(functions) as loaded:
        require_it_runs(loaded.graphs, setting.engine, **_how(setting))
        return _parts(loaded, setting, runs=runs, seconds=seconds, way=way)[1]


def opened(graphs: Graphs, setting: Setting) -> Session:
    """Make graphs ready as a setting says."""
    return open_session(graphs, setting.engine, **_how(setting))


def _how(setting: Setting) -> dict[str, Any]:
    device = setting.example.device.type
    return {"threads": setting.threads, "precision": setting.precision, "device": device}


def _require_both_candidates(network: nn.Module) -> None:
    blocks = delta_blocks(network)
    choosing = [block for block in blocks.values() if block.candidates]
    if not choosing:
        raise ValueError("the network has no blocks with candidates, hence nothing to choose by time")
    if deployed := [block.name for block in choosing if set(block.candidates) != set(CANDIDATES)]:
        raise ValueError(
            f"the blocks {deployed[:3]} have one candidate left; measure the network before it is deployed"
        )


def _with(network: nn.Module, candidate: str, example: Tensor, *, trained: bool = False) -> nn.Module:
    """A copy in which every block that has candidates uses this one."""
    copy = copy_with_modes(network).to(example.device)
    for block in delta_blocks(copy).values():
        if block.candidates:
            block.decide(candidate)
        if trained:
            _train_a_little(block.uncompressed)
    return copy


@torch.no_grad()
def _train_a_little(student: nn.Module | None) -> None:
    """Move the weights, as any training does, so that they are not the teacher's."""
    for parameter in student.parameters() if student is not None else ():
        parameter.add_(1e-3)


def _fastest(graphs: Graphs, example: Tensor, *, threads: int | None, precision: str, length: int) -> str:
    """The engine that is fastest per frame of a sequence, or on frames in full where that is faster still."""
    graphs = replace(graphs, functions={})  # those that run a folder's files, as a runner does
    names, reasons = engines_for(graphs, precision=precision, device=example.device.type)
    if not names:
        listed = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        raise ValueError(f"no engine can run this here: {listed}")
    if len(names) == 1:
        return names[0]
    pairs = [(name, precision) for name in names]
    failed = failures(graphs, pairs, threads=threads, device=example.device.type)
    names = names_left(names, failed)
    settings = {name: Setting(name, threads, precision, example) for name in names}
    sessions = {name: (opened(graphs, setting), graphs) for name, setting in settings.items()}
    times, _ = timed(sessions, seconds=_ENGINES_SECONDS)
    return min(names, key=lambda name: min(times[name].per_frame(length), times[name].frame))


def _parts(
    loaded: Loaded, setting: Setting, *, runs: int, seconds: float, way: str | None = None
) -> tuple[str, Parts]:
    """The times of blocks, and how they were found."""
    if way != BLOCK_BY_BLOCK:
        found = profile(loaded.graphs, setting.engine, runs=runs, **_how(setting))
        parts = None if found is None else _by_block(found, loaded)
        if parts is not None:
            return PROFILE, parts
    return BLOCK_BY_BLOCK, block_times(
        loaded.functions, lambda graphs: opened(graphs, setting), seconds=seconds
    )


def _by_block(found: Profile, loaded: Loaded) -> Parts | None:
    """Times of nodes summed up by block; None, and a warning, where they do not name the blocks."""
    paths = block_paths(loaded.functions)
    owners = Owners(paths, loaded.functions.maps, loaded.graphs.onnx["frame"], found["frame"])
    sums: dict[str, dict[str | None, float]] = {}
    for function, nodes in found.items():
        of_function = sums.setdefault(function, {})
        for node in nodes:
            owner = owners.of(node)
            of_function[owner] = of_function.get(owner, 0.0) + node.milliseconds
    missing = [name for name in paths.values() if any(name not in each for each in sums.values())]
    if missing:
        _log.warning(
            "the engine's profile does not name %s; every block is measured in a graph of its own",
            missing[:3],
        )
        return None
    names = {block.name for block in delta_blocks(loaded.functions.frame).values()}
    return {
        name: FunctionTimes(**{function: each.get(name, 0.0) for function, each in sums.items()})
        for name in (*names, None)
    }


def _rows(
    parts: Parts, uncompressed: Parts, functions: DeltaFunctions, plain: DeltaFunctions
) -> tuple[LayerTime, ...]:
    """A row for every block that has candidates, in the network's order."""
    sizes, plain_sizes = _map_bytes(functions), _map_bytes(plain)
    rows = []
    for block in delta_blocks(functions.frame).values():
        if not block.candidates:
            continue
        name, teacher = block.name, parts[block.name].frame
        again = CandidateTime(teacher, 0.0, 0)
        rows.append(
            LayerTime(
                name,
                teacher,
                _candidate(uncompressed[name], plain_sizes[name]) if name in plain_sizes else again,
                _candidate(parts[name], sizes.get(name, 0)),
            )
        )
    return tuple(rows)


def _candidate(times: FunctionTimes, map_bytes: int) -> CandidateTime:
    return CandidateTime(times.delta, times.key - times.frame, map_bytes)


def _map_bytes(functions: DeltaFunctions) -> dict[str, int]:
    """Memory of the maps by block, of blocks that have any."""
    found: dict[str, int] = {}
    for name, tensor in functions.maps.items():
        block = name.rpartition(".")[0].partition("#")[0]
        found[block] = found.get(block, 0) + tensor.numel() * tensor.element_size()
    return found


def _left(whole: FunctionTimes, parts: Parts) -> FunctionTimes:
    """What the blocks leave of the per-frame network, which is the same on every frame."""
    rest = max(0.0, whole.frame - sum(each.frame for each in parts.values()))
    return FunctionTimes(rest, rest, rest)
