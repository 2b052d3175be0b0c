"""How long a network's functions take in engines: called in turns, so that other work meets all alike."""

import time
from collections.abc import Hashable, Mapping, Sequence
from functools import partial
from typing import Any

from deltadistill.account.latency import Turn, measure_turns
from deltadistill.exporting.layer_times import FunctionTimes
from deltadistill.runtime.engine import Session
from deltadistill.runtime.graphs import Graphs, noise
from deltadistill.runtime.node_times import quiet

_MOST_ROUNDS = 40
_clock_ns = time.perf_counter_ns


def timed(
    sessions: Mapping[Hashable, tuple[Session, Graphs]], *, seconds: float
) -> tuple[dict[Hashable, FunctionTimes], int]:
    """Times of a run that nothing disturbed, of each session, and the number of rounds that they are from.

    seconds: for all rounds together; there are FEWEST at least.
    """
    turns = [turn for name, (session, graphs) in sessions.items() for turn in _turns(name, session, graphs)]
    timings = measure_turns(turns, runs=_MOST_ROUNDS, warmup=1, seconds=seconds, clock_ns=_clock_ns)
    samples: Mapping[Any, Any] = timings.samples_ms
    found = {
        name: FunctionTimes(
            **{what: quiet(samples[name, what].ravel()) for what in ("frame", "key", "delta")}
        )
        for name in sessions
    }
    return found, timings.rounds


def _turns(name: Hashable, session: Session, graphs: Graphs) -> Sequence[Turn]:
    frame = noise(graphs.frame, sizes=graphs.sizes)
    _, maps = session.key(frame)
    _, spare = session.key(frame)
    return [
        [((name, "frame"), partial(session.frame, frame))],
        [((name, "key"), partial(session.key, frame, into=spare))],
        [((name, "delta"), partial(session.delta, frame, maps))],
    ]
