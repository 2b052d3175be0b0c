"""Time per frame at every period, from frame to decoded answer, in turns with the best per-frame run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from deltadistill.account.latency import Call, Timings, Turn, measure_turns
from deltadistill.runtime.between import Between

_ROUNDS = 200  # at most: seconds end them
_DELTAS = 3  # of a round
_TRIES = 2
_NOISE = 1.05  # above a bound: as much do two times of the same thing differ, and copied answers come near it

Measure = Callable[..., Timings]
Name = tuple[str, str]
"""Engine and precision."""


class ImpossibleSpeedError(ValueError):
    """A speed-up was measured, again and again, that the times of its parts do not allow."""


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
        return float(np.median(self._of("frame") * period / self._total(name, [period], between, fill)))

    def speedup_by_change(
        self, name: Name, lengths: Sequence[int], *, between: Between, fill: str | None = None
    ) -> float:
        """Of sequences of these lengths, where every frame is also looked at for what has changed."""
        frames = sum(lengths)
        total = self._total(name, lengths, between, fill) + frames * self._of("watching")
        return float(np.median(self._of("frame") * frames / total))

    def _total(self, name: Name, lengths: Sequence[int], between: Between, fill: str | None) -> np.ndarray:
        """Milliseconds of sequences that begin with a key frame each, by round."""
        frames, keys, computed = sum(lengths), len(lengths), sum(map(between.computed, lengths))
        total = keys * self._of("key", name)
        if computed > keys:
            total = total + (computed - keys) * self._of("delta", name)
        if fill is not None:
            total = (
                total + computed * self._of("begin", fill) + (frames - computed) * self._of("filled", fill)
            )
        return total

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
    watching: Call | None = None,
    measure: Measure = measure_turns,
) -> WayTimes:
    """Time all of them in turns.

    plain: the answer of a frame in the best per-frame run. watching: what a schedule of key frames by change
    does with each frame.
    """
    turns: list[Turn] = [[("frame", plain)]]
    if watching is not None:
        turns.append([("watching", watching)] * _DELTAS)
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
    plain: Call,
    key: Call,
    part_of_runner: Call,
    frames: int,
    keys: int = 1,
    *,
    seconds: float,
    measure: Measure = measure_turns,
) -> float:
    """How many times as fast as per frame a written runner answers a part of a video, in turns.

    plain: the answer of one frame in the best per-frame run. key: of a key frame by the runner.
    part_of_runner: of so many frames, `keys` of them key frames.
    A part takes no less than its key frames, so that no speed-up is above frames · plain / (keys · key), as
    the same rounds have it. One that is, is measured again; ImpossibleSpeedError where it still is.
    """
    turns: list[Turn] = [[("frame", plain)] * _DELTAS, [("key", key)], [("part", part_of_runner)]]
    for _ in range(_TRIES):
        timings = measure(turns, runs=_ROUNDS, warmup=1, seconds=seconds)
        frame, first, whole = (timings.samples_ms[name].mean(axis=1) for name in ("frame", "key", "part"))
        found = float(np.median(frame * frames / whole))
        bound = float(np.median(frame * frames / (keys * first)))
        if found <= _NOISE * bound:
            return found
    raise ImpossibleSpeedError(
        f"×{found:.2f} was measured over {frames} frames, and its {keys} key frame(s) alone, measured beside "
        f"them, allow ×{bound:.2f}: the machine is too busy for times; try again when it is not"
    )
