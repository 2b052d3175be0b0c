"""Speed-ups by period from scripted clocks."""

import numpy as np
import pytest

from deltadistill.acceleration.budget import Budget
from deltadistill.acceleration.timing import delta_times, frame_times, moving_times
from deltadistill.account.latency import measure_turns

NOW = {"seconds": 0.0}


class Scripted:
    """A session whose calls take so many milliseconds on the scripted clock."""

    def __init__(self, frame, key=0.0, delta=0.0):
        self._takes = {"frame": frame, "key": key, "delta": delta}

    def _spend(self, what):
        NOW["seconds"] += self._takes[what] / 1e3

    def frame(self, frame):
        self._spend("frame")

    def key(self, frame, *, into=None):
        self._spend("key")
        return (), object()

    def delta(self, frame, maps):
        self._spend("delta")


def measure(turns, **options):
    return measure_turns(turns, clock_ns=lambda: round(NOW["seconds"] * 1e9), **options)


FRAMES = [np.zeros((1, 2, 2, 3), np.uint8)] * 2


def test_the_session_that_is_fastest_at_any_period_is_taken_with_its_speed_ups():
    sessions = {("a", "fp32"): Scripted(9, 14, 4), ("b", "fp32"): Scripted(9, 12, 6)}
    best, speedups, parts = delta_times(Scripted(10), sessions, FRAMES, [2, 10], seconds=1, measure=measure)
    assert best == ("a", "fp32")
    assert speedups == pytest.approx({2: 20 / 18, 10: 100 / 50})
    assert parts == pytest.approx({"frame": 10, "key": 14, "delta": 4})


def test_moved_answers_are_timed_with_key_frames_in_their_fastest_way():
    def move():
        NOW["seconds"] += 2e-3

    speedups, parts = moving_times(
        Scripted(10), Scripted(4), FRAMES[0], move, [4], seconds=1, measure=measure
    )
    assert speedups == pytest.approx({4: 40 / (4 + 3 * 2)})
    assert parts == pytest.approx({"frame": 10, "key": 4, "moving": 2})


def test_the_per_frame_network_is_timed_in_every_engine_and_precision():
    sessions = {("a", "fp32"): Scripted(10), ("a", "bf16"): Scripted(4)}
    assert frame_times(sessions, FRAMES[0], seconds=1, measure=measure) == pytest.approx(
        {("a", "fp32"): 10, ("a", "bf16"): 4}
    )


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
