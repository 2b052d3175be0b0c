"""Time per frame at every period, from frame to decoded answer, in turns with the best per-frame run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from deltadistill.account.latency import Call, Timings, Turn, measure_turns
from deltadistill.runtime.between import Between

_ROUNDS = 200  # at most: seconds end them
_DELTAS = 3  # of a round

Measure = Callable[..., Timings]
Name = tuple[str, str]
"""Engine and precision."""


@dataclass(frozen=True)
class Calls:
    """Of a network in an engine: key, the answer of a key frame; delta, of a frame computed after it."""

    key: Call
    delta: Call | None = None


@dataclass(frozen=True)
class FillCalls:
    """Of frames that are not computed: begin, taking down the computed one; filled, an answer."""

    begin: Call
    filled: Call


class WayTimes:
    """Times of networks and of ways to fill, of the same rounds."""

    def __init__(self, timings: Timings):
        self._timings = timings

    def speedup(self, name: Name, period: int, *, between: Between, fill: str | None = None) -> float:
        """Of a period of a network, over the best per-frame run: the median of each round's ratio."""
        computed = between.computed(period)
        total = self._of("key", name) + (0.0 if computed == 1 else (computed - 1) * self._of("delta", name))
        if fill is not None:
            total = (
                total + computed * self._of("begin", fill) + (period - computed) * self._of("filled", fill)
            )
        return float(np.median(self._of("frame") * period / total))

    def speedups(
        self, name: Name, periods: Sequence[int], *, between: Between, fill: str | None = None
    ) -> dict[int, float]:
        """By period."""
        return {each: self.speedup(name, each, between=between, fill=fill) for each in periods}

    def parts_ms(self, name: Name, fill: str | None = None) -> dict[str, float]:
        """Medians in milliseconds of "frame", "key" and, where there are any, "delta" and "filled"."""
        names = {"frame": "frame", "key": ("key", name), "delta": ("delta", name), "filled": ("filled", fill)}
        there = self._timings.samples_ms
        return {part: self._timings.median_ms(each) for part, each in names.items() if each in there}

    def _of(self, what: str, name: Name | str | None = None) -> np.ndarray:
        return self._timings.samples_ms[what if name is None else (what, name)].mean(axis=1)


def way_times(
    plain: Call,
    networks: Mapping[Name, Calls],
    fills: Mapping[str, FillCalls] | None = None,
    *,
    seconds: float,
    measure: Measure = measure_turns,
) -> WayTimes:
    """Time all of them in turns. plain: the answer of a frame in the best per-frame run."""
    turns: list[Turn] = [[("frame", plain)]]
    for name, calls in networks.items():
        turns.append([(("key", name), calls.key)])
        if calls.delta is not None:
            turns.append([(("delta", name), calls.delta)] * _DELTAS)
    for fill, filled in (fills or {}).items():
        turns.append([(("begin", fill), filled.begin), *[(("filled", fill), filled.filled)] * _DELTAS])
    return WayTimes(measure(turns, runs=_ROUNDS, warmup=2, seconds=seconds))


def frame_times(
    answers: Mapping[Name, Call], *, seconds: float, measure: Measure = measure_turns
) -> dict[Name, float]:
    """Milliseconds of the per-frame network by (engine, precision), in turns."""
    timings = measure([[each] for each in answers.items()], runs=_ROUNDS, warmup=2, seconds=seconds)
    return {name: timings.median_ms(name) for name in answers}


def runner_speedup(
    plain: Call, period_of_runner: Call, period: int, *, seconds: float, measure: Measure = measure_turns
) -> float:
    """How many times as fast as per frame a written runner answers a whole period, in turns.

    plain: the answer of one frame in the best per-frame run. period_of_runner: of one whole period.
    """
    turns: list[Turn] = [[("frame", plain)] * _DELTAS, [("period", period_of_runner)]]
    timings = measure(turns, runs=_ROUNDS, warmup=1, seconds=seconds)
    frame, whole = (timings.samples_ms[name].mean(axis=1) for name in ("frame", "period"))
    return float(np.median(frame * period / whole))
