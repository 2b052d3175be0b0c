"""Latency with a clock that is set by hand."""

import pytest

from deltadistill.account.latency import FEWEST, measure, measure_turns


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


def test_calls_of_a_turn_keep_their_order_and_count_together():
    clock = Clock()
    key, first, second = (
        clock.spend("key", [9, 18]),
        clock.spend("delta", [2, 4]),
        clock.spend("delta", [4, 8]),
    )
    stream = [("key", key), ("delta", first), ("delta", second)]
    timings = measure_turns(
        [[("teacher", clock.spend("teacher", [10, 20]))], stream], runs=2, warmup=0, clock_ns=clock
    )
    assert clock.log == ["teacher", "key", "delta", "delta", "key", "delta", "delta", "teacher"]
    assert timings.rounds == 2
    assert timings.median_ms("delta") == 4  # of 2, 4, 4, 8
    assert timings.p95_ms("delta") == pytest.approx(4 + 0.85 * 4)
    # a delta frame takes 3 and 6 ms in the mean of a round; T = 4: (9 + 3 · 3) / 4 and twice as long
    assert timings.amortised_ms("key", "delta", 4) == pytest.approx((4.5 + 9) / 2)
    assert timings.speedup("teacher", "key", "delta", 4) == pytest.approx(10 / 4.5)


def test_no_round_begins_after_the_time_is_up_but_there_are_enough_for_a_median():
    clock = Clock()
    slow = measure({"a": clock.spend("a", [1000] * 30)}, runs=30, warmup=2, seconds=1, clock_ns=clock)
    assert slow.rounds == FEWEST
    fast = measure({"a": clock.spend("a", [100] * 30)}, runs=30, warmup=0, seconds=1, clock_ns=clock)
    assert fast.rounds == 11  # the eleventh begins at one second sharp
    assert (
        measure({"a": clock.spend("a", [100] * 7)}, runs=7, warmup=0, seconds=1, clock_ns=clock).rounds == 7
    )
