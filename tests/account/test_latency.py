"""Latency with a clock that is set by hand."""

import pytest

from deltadistill.account.latency import measure
from deltadistill.account.machine import describe_machine


class Clock:
    """Stands still but for what `spend` adds."""

    def __init__(self):
        self.now_ns = 0
        self.log = []

    def __call__(self):
        return self.now_ns

    def spend(self, name, durations_ms):
        durations = iter(durations_ms)

        def call():
            self.log.append(name)
            self.now_ns += int(1e6 * next(durations))

        return call


def test_medians_percentiles_and_ratios_worked_by_hand():
    clock = Clock()
    calls = {
        "teacher": clock.spend("teacher", [99, 10, 20, 30]),
        "key": clock.spend("key", [99, 12, 24, 36]),
        "delta": clock.spend("delta", [99, 3, 6, 9]),
    }
    timings = measure(calls, runs=3, warmup=1, clock_ns=clock)
    assert timings.median_ms("teacher") == 20
    assert timings.p95_ms("teacher") == pytest.approx(29)
    assert timings.amortised_ms("key", "delta", 3) == (24 + 2 * 6) / 3
    # every round gives the same ratio although the machine slows down threefold
    assert timings.speedup("teacher", "key", "delta", 3) == pytest.approx(10 / 6)
    assert timings.speedup("teacher", "key", "delta", 1) == pytest.approx(10 / 12)


def test_callables_take_turns_and_each_starts_a_round():
    clock = Clock()
    calls = {name: clock.spend(name, [1] * 3) for name in "abc"}
    measure(calls, runs=2, warmup=1, clock_ns=clock)
    assert "".join(clock.log) == "abc" + "bca" + "cab"


def test_impossible_numbers_are_refused():
    with pytest.raises(ValueError, match="runs must be at least 1"):
        measure({"a": lambda: None}, runs=0, warmup=0)
    timings = measure({"a": lambda: None}, runs=1, warmup=0)
    with pytest.raises(ValueError, match="sequence length must be at least 1"):
        timings.amortised_ms("a", "a", 0)


def test_the_machine_is_described_without_naming_it():
    machine = describe_machine()
    processor = {"processor", "architecture", "logical_cores", "usable_cores", "features"}
    assert set(machine) == {*processor, "vector_instructions", "system"}
    assert machine["logical_cores"] >= 1
