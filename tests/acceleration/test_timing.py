"""Speed-ups by period from scripted clocks."""

import pytest

from deltadistill.acceleration.budget import Budget
from deltadistill.acceleration.timing import (
    Calls,
    FillCalls,
    ImpossibleSpeedError,
    frame_times,
    runner_speedup,
    way_times,
)
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
    found = runner_speedup(takes(10), takes(12), takes(25), 5, seconds=1, measure=measure)
    assert found == pytest.approx(2)


def test_a_speed_up_above_what_its_key_frames_allow_is_refused():
    # 5 frames of 10 ms in a part of 8 ms are ×6.25; its key frame of 12 ms alone allows 50 / 12 = ×4.17.
    with pytest.raises(ImpossibleSpeedError, match=r"×6\.25 was measured over 5 frames.* allow ×4\.17"):
        runner_speedup(takes(10), takes(12), takes(8), 5, seconds=1, measure=measure)
    # Two of them are key frames: 50 / 24 = ×2.08, and a part of 22 ms is ×2.27.
    with pytest.raises(ImpossibleSpeedError, match=r"its 2 key frame\(s\) alone.* allow ×2\.08"):
        runner_speedup(takes(10), takes(12), takes(22), 5, 2, seconds=1, measure=measure)


def test_copied_answers_may_come_as_near_to_the_bound_as_two_times_of_the_same_thing_differ():
    found = runner_speedup(takes(10), takes(10), takes(9.6), 5, seconds=1, measure=measure)
    assert found == pytest.approx(50 / 9.6)


def test_an_impossible_speed_up_is_measured_again_before_it_is_refused():
    rounds = []

    def once_wrong(turns, **options):
        rounds.append(1)
        parts = [
            [("frame", takes(10))],
            [("key", takes(12))],
            [("part", takes(8 if len(rounds) == 1 else 25))],
        ]
        return measure(parts, **options)

    found = runner_speedup(takes(10), takes(12), takes(25), 5, seconds=1, measure=once_wrong)
    assert (found, len(rounds)) == (pytest.approx(2), 2)


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


def test_a_pass_is_expected_to_take_as_long_as_the_longest_before():
    time = iter([0.0, 0.0, 1.0, 1.0, 31.0, 31.0, 75.0, 75.0])
    allowed = Budget(100, clock=lambda: next(time)).for_passes(20)
    assert allowed()  # 99 s are left for 20
    assert allowed()  # 69 for 30
    assert not allowed()  # 25 for 44
