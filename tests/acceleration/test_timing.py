"""Speed-ups by period from scripted clocks."""

import pytest

from deltadistill.acceleration.budget import Budget
from deltadistill.acceleration.timing import Calls, FillCalls, frame_times, runner_speedup, way_times
from deltadistill.account.latency import measure_turns
from deltadistill.runtime.between import Between

NOW = {"seconds": 0.0}


def takes(milliseconds):
    """A call that takes so long on the scripted clock."""

    def call():
        NOW["seconds"] += milliseconds / 1e3

    return call


def measure(turns, **options):
    return measure_turns(turns, clock_ns=lambda: round(NOW["seconds"] * 1e9), **options)


NAME = ("a", "fp32")
DELTA = Between()


def test_speed_ups_of_a_delta_network_by_hand():
    times = way_times(takes(10), {NAME: Calls(takes(14), takes(4))}, seconds=1, measure=measure)
    assert times.speedups(NAME, [2, 10], between=DELTA) == pytest.approx({2: 20 / 18, 10: 100 / 50})
    assert times.parts_ms(NAME) == pytest.approx({"frame": 10, "key": 14, "delta": 4})


def test_filled_frames_cost_what_it_takes_to_begin_and_to_fill_them():
    fills = {"flow": FillCalls(takes(1), takes(2))}
    times = way_times(takes(10), {NAME: Calls(takes(14), takes(4))}, fills, seconds=1, measure=measure)
    every, keys = Between(kind="copied", every=2), Between(kind="copied")
    # Of 5 frames 3 are computed; each of these is taken down for the ones that are filled.
    expected = 50 / (14 + 2 * 4 + 3 * 1 + 2 * 2)
    assert times.speedup(NAME, 5, between=every, fill="flow") == pytest.approx(expected)
    assert times.speedup(NAME, 5, between=keys, fill="flow") == pytest.approx(50 / (14 + 1 + 4 * 2))
    assert times.parts_ms(NAME, "flow")["filled"] == pytest.approx(2)


def test_sequences_of_changing_length_cost_their_frames_and_the_watching_of_each():
    fills = {"flow": FillCalls(takes(1), takes(2))}
    calls = {NAME: Calls(takes(14), takes(4))}
    times = way_times(takes(10), calls, fills, seconds=1, watching=takes(0.5), measure=measure)
    # 2 + 5 frames, two of them key frames; all seven are watched.
    found = times.speedup_by_change(NAME, [2, 5], between=DELTA)
    assert found == pytest.approx(70 / (2 * 14 + 5 * 4 + 7 * 0.5))
    # Every 2nd frame is computed: 1 of the first two, 3 of the others.
    every = times.speedup_by_change(NAME, [2, 5], between=Between(kind="copied", every=2), fill="flow")
    assert every == pytest.approx(70 / (2 * 14 + 2 * 4 + 4 * 1 + 3 * 2 + 7 * 0.5))


def test_the_per_frame_network_is_timed_in_every_engine_and_precision():
    calls = {("a", "fp32"): takes(10), ("a", "bf16"): takes(4)}
    found = frame_times(calls, seconds=1, measure=measure)
    assert found == pytest.approx({("a", "fp32"): 10, ("a", "bf16"): 4})


def test_a_written_runner_is_timed_by_whole_periods():
    assert runner_speedup(takes(10), takes(25), 5, seconds=1, measure=measure) == pytest.approx(2)


def test_nothing_is_begun_that_does_not_end_in_time():
    time = iter([0.0, 10.0, 10.0, 10.0])
    budget = Budget(100, clock=lambda: next(time))
    budget.reserve = 30
    assert budget.left() == 60
    assert budget.allows(60)
    assert not budget.allows(61)


def test_the_time_left_is_told_in_minutes():
    time = iter([0.0, 10.0])
    assert Budget(135, clock=lambda: next(time)).told() == "2:05 left"
