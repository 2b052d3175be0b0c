"""Time per frame at every period, measured in turns with the best per-frame run."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from deltadistill.account.latency import Timings, Turn, measure_turns
from deltadistill.runtime.engine import Session

_ROUNDS = 200  # at most: seconds end them
_DELTAS = 3  # of a round

Measure = Callable[..., Timings]
Name = tuple[str, str]
"""Engine and precision."""


def delta_times(
    plain: Session,
    sessions: Mapping[Name, Session],
    frames: Sequence[np.ndarray],
    periods: Sequence[int],
    *,
    seconds: float,
    measure: Measure = measure_turns,
) -> tuple[Name, dict[int, float], dict[str, float]]:
    """The session in which a delta network is fastest, its speed-ups by period, and milliseconds by part.

    plain: the per-frame network in its fastest engine. frames: two, uint8 (1, h, w, 3).
    """
    turns: list[Turn] = [[("frame", partial(plain.frame, frames[1]))]]
    for name, session in sessions.items():
        maps, spare = session.key(frames[0])[1], session.key(frames[0])[1]
        turns.append([(("key", name), partial(session.key, frames[0], into=spare))])
        turns.append([(("delta", name), partial(session.delta, frames[1], maps))] * _DELTAS)
    timings = measure(turns, runs=_ROUNDS, warmup=2, seconds=seconds)
    found = {
        name: {period: timings.speedup("frame", ("key", name), ("delta", name), period) for period in periods}
        for name in sessions
    }
    best = max(found, key=lambda name: max(found[name].values()))
    parts = {part: timings.median_ms((part, best)) for part in ("key", "delta")}
    return best, found[best], {"frame": timings.median_ms("frame"), **parts}


def moving_times(
    plain: Session,
    key: Session,
    frame: np.ndarray,
    move: Callable[[], object],
    periods: Sequence[int],
    *,
    seconds: float,
    measure: Measure = measure_turns,
) -> tuple[dict[int, float], dict[str, float]]:
    """Speed-ups by period of key frames in full, in the fastest way, and moved answers between them.

    And milliseconds by part.
    """
    calls = {"frame": partial(plain.frame, frame), "key": partial(key.frame, frame)}
    turns: list[Turn] = [*([each] for each in calls.items()), [("moving", move)] * _DELTAS]
    timings = measure(turns, runs=_ROUNDS, warmup=2, seconds=seconds)
    speedups = {period: timings.speedup("frame", "key", "moving", period) for period in periods}
    return speedups, {part: timings.median_ms(part) for part in ("frame", "key", "moving")}


def frame_times(
    sessions: Mapping[Name, Session],
    frame: np.ndarray,
    *,
    seconds: float,
    measure: Measure = measure_turns,
) -> dict[Name, float]:
    """Milliseconds of the per-frame network by (engine, precision), in turns."""
    turns = [[(name, partial(session.frame, frame))] for name, session in sessions.items()]
    timings = measure(turns, runs=_ROUNDS, warmup=2, seconds=seconds)
    return {name: timings.median_ms(name) for name in sessions}
