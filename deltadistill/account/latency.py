"""Latency of calls, timed in turns within one process so that their ratios hold on a noisy machine."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

FEWEST = 5  # rounds, for a median

Name = Hashable
Call = Callable[[], object]
Turn = Sequence[tuple[Name, Call]]
"""Calls that follow one another, each timed under its name, which comes as often in every round."""


@dataclass(frozen=True)
class Timings:
    """Milliseconds of each name's calls (rounds, calls a round); those of one round were made in turns."""

    samples_ms: Mapping[Name, np.ndarray]

    @property
    def rounds(self) -> int:
        """How many rounds were timed."""
        return len(next(iter(self.samples_ms.values())))

    def median_ms(self, name: Name) -> float:
        """Return the median of all calls of a name."""
        return float(np.median(self.samples_ms[name]))

    def p95_ms(self, name: Name) -> float:
        """Return the 95th percentile of all calls of a name."""
        return float(np.percentile(self.samples_ms[name], 95))

    def amortised_ms(self, key: Name, delta: Name, length: int) -> float:
        """Return the median time per frame of a sequence: one `key` call, then length − 1 `delta` calls."""
        return float(np.median(self._amortised(key, delta, length)))

    def speedup(self, baseline: Name, key: Name, delta: Name, length: int) -> float:
        """Return how many times faster than `baseline` a sequence runs: the median of each round's ratio.

        A ratio within a round is free of the machine's drift between rounds, which a ratio of medians
        is not.
        """
        return float(np.median(self._of_rounds(baseline) / self._amortised(key, delta, length)))

    def _amortised(self, key: Name, delta: Name, length: int) -> np.ndarray:
        if length < 1:
            raise ValueError(f"sequence length must be at least 1, got {length}")
        return (self._of_rounds(key) + (length - 1) * self._of_rounds(delta)) / length

    def _of_rounds(self, name: Name) -> np.ndarray:
        """The mean of a name's calls in each round."""
        return self.samples_ms[name].mean(axis=1)


def measure(
    calls: Mapping[str, Call],
    *,
    runs: int,
    warmup: int,
    seconds: float = math.inf,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
    clock_ns: Callable[[], int] = time.perf_counter_ns,
) -> Timings:
    """Time each of `calls` `runs` times after `warmup` untimed rounds; see `measure_turns`."""
    turns = [[(name, call)] for name, call in calls.items()]
    return measure_turns(
        turns, runs=runs, warmup=warmup, seconds=seconds, progress=progress, clock_ns=clock_ns
    )


def measure_turns(
    turns: Sequence[Turn],
    *,
    runs: int,
    warmup: int,
    seconds: float = math.inf,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
    clock_ns: Callable[[], int] = time.perf_counter_ns,
) -> Timings:
    """Time the calls of all turns in `runs` rounds, after `warmup` untimed ones.

    A round takes every turn once; each round starts with the next one, so that none always follows the
    same. The garbage collector rests while a round is timed.
    seconds: after these no further round begins, once FEWEST have been timed.
    """
    if runs < 1 or warmup < 0:
        raise ValueError(f"runs must be at least 1 and warmup at least 0, got {runs} and {warmup}")
    samples: dict[Name, list[list[float]]] = {}
    begun = clock_ns()
    for index in progress(range(warmup + runs)):
        if index >= warmup + FEWEST and clock_ns() - begun > seconds * 1e9:
            break
        first = index % len(turns)
        times = _round([*turns[first:], *turns[:first]], clock_ns)
        if index >= warmup:
            for name, milliseconds in times.items():
                samples.setdefault(name, []).append(milliseconds)
    return Timings({name: np.array(values) for name, values in samples.items()})


def _round(turns: Sequence[Turn], clock_ns: Callable[[], int]) -> dict[Name, list[float]]:
    gc.collect(0)
    enabled = gc.isenabled()
    gc.disable()
    try:
        times: dict[Name, list[float]] = {}
        for name, call in chain.from_iterable(turns):
            start = clock_ns()
            call()
            times.setdefault(name, []).append((clock_ns() - start) / 1e6)
        return times
    finally:
        if enabled:
            gc.enable()
