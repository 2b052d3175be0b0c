"""Which engine is fastest on this machine, and whether delta frames are worth it: measured once, remembered.

What is compared is the time per frame of a whole period, one key frame and period − 1 delta frames, with the
best per-frame run of any engine at the same precision.
"""

import hashlib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from deltadistill.account.latency import Turn, measure_turns
from deltadistill.account.machine import describe_processor
from deltadistill.files import atomic
from deltadistill.files.strict_json import read_json
from deltadistill.runtime.between import DELTA, Between
from deltadistill.runtime.engine import Session, engines_for, open_session
from deltadistill.runtime.filling import filler
from deltadistill.runtime.graphs import Graphs, noise
from deltadistill.runtime.map_motion import motion_since_key
from deltadistill.runtime.moving_maps import Motions, everything_moves
from deltadistill.runtime.proving import failures, names_left
from deltadistill.runtime.runner_file import FUNCTIONS, Description
from deltadistill.runtime.versions import installed_versions

_log = logging.getLogger(__name__)

_SECONDS = 4.0  # for all engines together; a round of slow networks may take longer
_MOST_ROUNDS = 30
_DELTAS = 3  # of a round: they are what a video consists of
_MOST_KEPT = 200
_WAYS = {"delta": "delta frames", "copied": "copied answers", "moved": "moved answers"}


@dataclass(frozen=True)
class Choice:
    """How a runner computes.

    per_frame: whether every frame is computed in full, because delta frames save no time here.
    frame_ms, key_ms, delta_ms: medians by engine that was measured; empty where the engine was named.
    reason: in words, with the times that decided.
    """

    engine: str
    precision: str
    per_frame: bool
    frame_ms: Mapping[str, float] = field(default_factory=dict)
    key_ms: Mapping[str, float] = field(default_factory=dict)
    delta_ms: Mapping[str, float] = field(default_factory=dict)
    reason: str = "the engine was named"


def choose(
    graphs: Graphs,
    description: Description,
    *,
    period: int,
    threads: int | None = None,
    precision: str = "fp32",
    device: str = "cpu",
    seconds: float = _SECONDS,
) -> Choice:
    """Measure the engines that can run here, or recall what was measured on this machine before.

    Each opens the graphs in a process of its own before it does so here (proving.py), when it is measured.
    Raises ValueError where no engine can, with each one's reason.
    """
    names, reasons = engines_for(graphs, precision=precision, device=device)
    if not names:
        listed = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        raise ValueError(f"no engine can run this here: {listed}")
    question = _question(graphs, description, names, threads=threads, precision=precision, device=device)
    times = _recalled(question)
    if times is None:
        how: dict[str, Any] = {"threads": threads, "device": device}
        functions = FUNCTIONS[:1] if description.has_frame_graphs_alone else FUNCTIONS
        failed = failures(graphs, [(name, precision) for name in names], functions=functions, **how)
        names = names_left(names, failed)
        sessions = {name: open_session(graphs, name, precision=precision, **how) for name in names}
        times = measured(sessions, description, seconds=seconds)
        if not any(why.is_late for why in failed.values()):
            _remember(question, times)
    between = description.between
    choice = decided(
        times,
        period=period,
        precision=precision,
        between=between,
        moving_ms=_moving_ms(description) if between.kind == "moved" and period > 1 else 0.0,
        flow_ms=_flow_ms(description) if description.motion is not None and period > 1 else 0.0,
    )
    if description.computes_every_frame:
        told = f"{times['frame'][choice.engine]:.1f} ms ({choice.engine})"
        choice = replace(choice, reason=f"the per-frame network is all there is: every frame takes {told}")
    elif choice.per_frame and period > 1:
        _log.warning("%s", choice.reason)
    return choice


Times = Mapping[str, Mapping[str, float]]
"""Medians in milliseconds: by "frame", "key" and "delta", by engine."""


def measured(sessions: Mapping[str, Session], description: Description, *, seconds: float) -> Times:
    """Time the functions of every session in turns, for so many seconds, at least three rounds.

    Where there is the per-frame network alone, its times stand for all three.
    """
    frame = noise(description.frame, sizes=description.sizes)
    motions = [] if description.motion is None else [everything_moves(*frame.shape[:3])]
    turns: list[Turn] = []
    for name, session in sessions.items():
        turns.append([(("frame", name), partial(session.frame, frame))])
        if not description.has_frame_graphs_alone:
            turns += _turns_of_deltas(name, session, frame, motions)
    begun = perf_counter()
    measure_turns(turns, runs=1, warmup=1)
    rounds = min(max(3, int(2 * seconds / (perf_counter() - begun))), _MOST_ROUNDS)
    timings = measure_turns(turns, runs=rounds, warmup=0)
    there = ["frame"] * 3 if description.has_frame_graphs_alone else ["frame", "key", "delta"]
    return {
        what: {name: timings.median_ms((timed, name)) for name in sessions}
        for what, timed in zip(("frame", "key", "delta"), there, strict=True)
    }


def _turns_of_deltas(
    name: str, session: Session, frame: np.ndarray, motions: Sequence[Motions]
) -> list[Turn]:
    maps, spare = session.key(frame)[1], session.key(frame)[1]
    return [
        [(("key", name), partial(session.key, frame, into=spare))],
        [(("delta", name), partial(session.delta, frame, maps, *motions))] * _DELTAS,
    ]


def decided(
    times: Times,
    *,
    period: int,
    precision: str,
    between: Between = DELTA,
    moving_ms: float = 0.0,
    flow_ms: float = 0.0,
) -> Choice:
    """The fastest way: an engine with delta frames, or where none is faster, the fastest per-frame engine.

    moving_ms: of a frame whose answer is moved along. flow_ms: to find the motion since the key frame, for a
        delta frame whose maps are moved.
    """
    frame, key, delta = times["frame"], times["key"], times["delta"]
    first = frame if between.computes_keys_alone else key
    computed = between.computed(period)
    moved = (period - computed) * moving_ms + (computed - 1) * flow_ms
    amortised = {name: (first[name] + (computed - 1) * delta[name] + moved) / period for name in key}
    best, plain = min(amortised, key=lambda name: amortised[name]), min(frame, key=lambda name: frame[name])
    is_slower = amortised[best] >= frame[plain]
    found = f"{amortised[best]:.1f} ms a frame at period {period} ({best})"
    per_frame = f"{frame[plain]:.1f} ms ({plain})"
    reason = (
        f"every frame is computed in full: {_WAYS[between.kind]} take {found}, the per-frame network "
        f"{per_frame}"
        if is_slower
        else f"{found}, ×{frame[plain] / amortised[best]:.2f} as fast as the per-frame network's {per_frame}"
    )
    return Choice(plain if is_slower else best, precision, is_slower, frame, key, delta, reason)


def _moving_ms(description: Description) -> float:
    """Milliseconds that it takes to estimate the motion between two frames, which is most of moving."""
    frames = [noise(description.frame, seed)[0] for seed in range(2)]
    moving = filler(description.between)
    moving.begin(frames[0], {"boxes": ()})
    return measure_turns([[("moving", partial(moving.next_one, frames[1]))]], runs=5, warmup=1).median_ms(
        "moving"
    )


def _flow_ms(description: Description) -> float:
    """Milliseconds that it takes to find the motion of a frame since its key frame."""
    assert description.motion is not None
    frames = [noise(description.frame, seed, sizes=description.sizes) for seed in range(2)]
    motion = motion_since_key(description.motion)
    motion.see(frames[0], is_key=True)
    see = partial(motion.see, frames[1], is_key=False)
    return measure_turns([[("flow", see)]], runs=5, warmup=1).median_ms("flow")


def _question(
    graphs: Graphs, description: Description, names: list[str], **settings: str | int | None
) -> str:
    """A digest of all that the times depend on: processor, engines and their versions, graphs, settings."""
    content = {
        "processor": describe_processor(),
        "engines": names,
        "versions": installed_versions(),
        "graphs": {name: graph.sha256 for name, graph in description.graphs.items()},
        "frame": description.frame.shape,
        **({"moved": sorted(graphs.moved)} if graphs.moved else {}),
        **settings,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _memory() -> Path:
    place = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(place) / "deltadistill" / "engine_times.json"


def _recalled(question: str) -> Times | None:
    try:
        found = read_json(_memory(), remedy="delete it").get(question)
    except (OSError, ValueError, AttributeError):
        return None  # a memory that cannot be read is measured again
    return found if isinstance(found, dict) and set(found) == {"frame", "key", "delta"} else None


def _remember(question: str, times: Times) -> None:
    path = _memory()
    try:
        kept = read_json(path, remedy="delete it")
        kept = kept if isinstance(kept, dict) else {}
    except (OSError, ValueError):
        kept = {}
    kept = dict(list(kept.items())[-_MOST_KEPT:]) | {question: times}
    try:
        with atomic.file(path) as unfinished:
            unfinished.write_text(json.dumps(kept, indent=1))
    except OSError as error:
        _log.warning("the times of the engines are not remembered, and will be measured again: %s", error)
