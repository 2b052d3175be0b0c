"""Latency of callables, timed in turns within one process so that their ratios hold on a noisy machine."""

from __future__ import annotations

import gc
import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch


@dataclass(frozen=True)
class Timings:
    """Milliseconds of each callable, round by round: samples of one round were taken right after another."""

    samples_ms: dict[str, np.ndarray]

    def median_ms(self, name: str) -> float:
        """Return the median of one callable."""
        return float(np.median(self.samples_ms[name]))

    def p95_ms(self, name: str) -> float:
        """Return the 95th percentile of one callable."""
        return float(np.percentile(self.samples_ms[name], 95))

    def amortised_ms(self, key: str, delta: str, length: int) -> float:
        """Return the median time per frame of a sequence: one `key` call, then length − 1 `delta` calls."""
        return float(np.median(self._amortised(key, delta, length)))

    def speedup(self, baseline: str, key: str, delta: str, length: int) -> float:
        """Return how many times faster than `baseline` a sequence runs: the median of each round's ratio.

        A ratio within a round is free of the machine's drift between rounds, which a ratio of medians
        is not.
        """
        return float(np.median(self.samples_ms[baseline] / self._amortised(key, delta, length)))

    def _amortised(self, key: str, delta: str, length: int) -> np.ndarray:
        if length < 1:
            raise ValueError(f"sequence length must be at least 1, got {length}")
        return (self.samples_ms[key] + (length - 1) * self.samples_ms[delta]) / length


def measure(
    calls: Mapping[str, Callable[[], object]],
    *,
    runs: int,
    warmup: int,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
    clock_ns: Callable[[], int] = time.perf_counter_ns,
) -> Timings:
    """Time each of `calls` `runs` times after `warmup` untimed rounds.

    A round runs every callable once; each round starts with the next one, so that none always follows the
    same. The garbage collector rests while a round is timed.
    """
    if runs < 1 or warmup < 0:
        raise ValueError(f"runs must be at least 1 and warmup at least 0, got {runs} and {warmup}")
    names = list(calls)
    samples: dict[str, list[float]] = {name: [] for name in names}
    for index in progress(range(warmup + runs)):
        first = index % len(names)
        times = _round(calls, names[first:] + names[:first], clock_ns)
        if index >= warmup:
            for name, nanoseconds in times.items():
                samples[name].append(nanoseconds / 1e6)
    return Timings({name: np.array(values) for name, values in samples.items()})


def _round(
    calls: Mapping[str, Callable[[], object]], order: list[str], clock_ns: Callable[[], int]
) -> dict[str, int]:
    gc.collect(0)
    enabled = gc.isenabled()
    gc.disable()
    try:
        times = {}
        for name in order:
            start = clock_ns()
            calls[name]()
            times[name] = clock_ns() - start
        return times
    finally:
        if enabled:
            gc.enable()


def describe_machine() -> dict[str, str | int]:
    """Describe the processor that was measured: model, architecture, logical cores, vector instructions."""
    return {
        "processor": _processor(),
        "architecture": platform.machine(),
        "logical_cores": os.cpu_count() or 1,
        "vector_instructions": torch.backends.cpu.get_cpu_capability(),
        "system": platform.system(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    models = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or "unknown")
