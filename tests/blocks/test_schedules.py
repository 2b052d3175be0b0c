"""Schedules of key frames over whole sequences, worked by hand."""

import math

import numpy as np
import pytest
import torch
from architectures import build

import deltadistill as dd
from deltadistill.blocks import schedules
from deltadistill.blocks.schedules import Adaptive, AtRate, FixedPeriod, Gaps, OnDemand

FRAME = torch.zeros(1, 3, 2, 2)


def keys(schedule, frames, *, refreshed=()):
    """Which of the frames are key frames; before those of `refreshed` the schedule is refreshed."""
    found = []
    for index, frame in enumerate(frames):
        if index in refreshed:
            schedule.refresh()
        if is_key := schedule.is_due(frame):
            found.append(index)
        schedule.note(frame, is_key=is_key)
    return found


def grey(*levels):
    """Pictures of one grey level each."""
    return [torch.full((1, 3, 2, 2), level, dtype=torch.uint8) for level in levels]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (FixedPeriod(1), [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        (FixedPeriod(3), [0, 3, 6]),
        (Gaps([2, 3]), [0, 2, 5, 7]),
        (Gaps([1, 4, 2]), [0, 1, 5, 7, 8]),
        (OnDemand(), [0]),
    ],
)
def test_key_frames_of_a_sequence(schedule, expected):
    assert keys(schedule, [FRAME] * 9) == expected
    schedule.reset()
    assert keys(schedule, [FRAME] * 9) == expected


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (FixedPeriod(3), [0, 2, 5, 8]),  # a new sequence begins with the frame asked for
        (Gaps([3, 4]), [0, 2, 6]),  # the first one was cut short after two frames; the next takes four
        (OnDemand(), [0, 2]),
    ],
)
def test_a_refresh_makes_the_next_frame_a_key_frame(schedule, expected):
    assert keys(schedule, [FRAME] * 9, refreshed=[2]) == expected


def test_changes_of_the_picture_add_up_to_the_threshold_of_an_adaptive_schedule():
    # changes       4   0   2  |  5   6  |  1   5
    video = grey(0, 4, 4, 6, 11, 5, 6, 1)
    # 4, 4, 6, 11 ≥ 10: frame 4 is a key frame; 6, 7, 12 ≥ 10: frame 7
    assert keys(Adaptive(10), video) == [0, 4, 7]
    assert keys(Adaptive(6), video) == [0, 3, 5, 7]  # 4, 4, 6 | 5, 11 | 1, 6
    assert keys(Adaptive(1000), video) == [0]


def test_a_slow_drift_and_a_flicker_both_add_up():
    assert keys(Adaptive(4), grey(0, 1, 2, 3, 4, 5, 6, 7, 8)) == [0, 4, 8]
    assert keys(Adaptive(4), grey(0, 2, 0, 2, 0, 2)) == [0, 2, 4]


@pytest.mark.parametrize("kind", ["uint8", "int32", "float32", "float64"])
def test_arrays_count_as_tensors_do(kind):
    video = [frame.numpy().astype(kind) for frame in grey(0, 4, 4, 6, 11, 5, 6, 1)]
    assert keys(Adaptive(10), video) == [0, 4, 7]
    assert keys(Adaptive(10), [torch.from_numpy(frame) for frame in video]) == [0, 4, 7]


def test_an_adaptive_schedule_waits_no_longer_than_it_is_told_to():
    assert keys(Adaptive(10, longest=3), grey(0, 0, 0, 0, 20, 20, 20, 20)) == [0, 3, 4, 7]


def test_an_adaptive_schedule_counts_the_change_anew_after_a_refresh():
    assert keys(Adaptive(5), grey(0, 4, 4, 8, 8), refreshed=[2]) == [0, 2]
    assert keys(Adaptive(5), grey(0, 4, 4, 8, 8)) == [0, 3]


def test_of_several_streams_the_one_that_changes_most_decides():
    still, moving = grey(0, 0, 0), grey(0, 6, 12)
    together = [torch.cat(pair) for pair in zip(still, moving, strict=True)]
    assert keys(Adaptive(10), together) == [0, 2]


def test_a_frame_of_another_size_is_a_key_frame_of_an_adaptive_schedule():
    assert keys(Adaptive(10), [FRAME, torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)]) == [0, 1]


def test_pictures_of_8_bits_differ_as_floats_do():
    generator = np.random.default_rng(0)
    pictures = generator.integers(0, 256, (9, 2, 160, 150, 3), dtype=np.uint8)  # more than a strip
    for threshold in (80.0, 170.0, 260.0):
        assert keys(Adaptive(threshold), pictures) == keys(Adaptive(threshold), pictures.astype(np.float32))
    one, other = np.array([[[0, 10]], [[200, 0]]], np.uint8), np.array([[[4, 0]], [[0, 255]]], np.uint8)
    schedule = Adaptive(1000)
    for frame in (one, other):
        schedule.note(frame, is_key=schedule.is_due(frame))
    assert schedule._change.tolist() == [(4 + 10) / 2, (200 + 255) / 2]


def test_what_has_changed_is_looked_at_once_a_frame(monkeypatch):
    asked, difference = [], schedules._mean_difference

    def counted(one, other):
        asked.append(1)
        return difference(one, other)

    monkeypatch.setattr(schedules, "_mean_difference", counted)
    assert keys(Adaptive(10), grey(0, 1, 2, 3)) == [0]
    assert len(asked) == 3


def test_an_adaptive_schedule_remembers_a_frame_whose_memory_is_used_again():
    memory, schedule = torch.zeros(1, 3, 2, 2, dtype=torch.uint8), Adaptive(10)
    schedule.note(memory, is_key=schedule.is_due(memory))
    assert schedule.is_due(memory.fill_(20))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FixedPeriod(0), "period 0 must be a whole number of frames, at least 1"),
        (lambda: Gaps([]), "at least one length"),
        (lambda: Gaps([2, 0]), "gap 0 must be a whole number"),
        (lambda: Adaptive(0), "threshold 0 must be above 0"),
        (lambda: Adaptive(float("nan")), "threshold nan"),
        (lambda: Adaptive(1, longest=0), "longest 0 must be a whole number"),
        (lambda: FixedPeriod(2.5), "period 2.5 must be a whole number"),
        (lambda: FixedPeriod(True), "period True must be a whole number"),  # a flag, not one frame
        (lambda: Gaps([2, True]), "gap True must be a whole number"),
        (lambda: Adaptive(1, longest=True), "longest True must be a whole number"),
        (lambda: Adaptive(True), "threshold True must be above 0"),
    ],
)
def test_an_impossible_schedule_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.fixture
def network():
    return dd.convert(build("in place"), dd.LinearStudent(gamma=2))


def shown(stream, frames, *, refreshed=()):
    found = []
    for index, frame in enumerate(frames):
        if index in refreshed:
            stream.refresh()
        stream(frame)
        found.append(stream.is_key_frame)
    return [index for index, is_key in enumerate(found) if is_key]


def test_a_stream_follows_its_schedule(network):
    video = torch.randn(6, 1, 3, 8, 8)
    assert shown(dd.Stream(network, schedule=Gaps([1, 3])), video) == [0, 1, 4, 5]
    assert shown(dd.Stream(network, period=4), video, refreshed=[2]) == [0, 2]


def test_a_stream_begins_with_a_key_frame_whatever_its_schedule_says(network):
    schedule = OnDemand()
    schedule.note(FRAME, is_key=schedule.is_due(FRAME))  # of another stream
    assert shown(dd.Stream(network, schedule=schedule), torch.randn(2, 1, 3, 8, 8)) == [0]


def test_a_stream_takes_a_period_or_a_schedule(network):
    with pytest.raises(ValueError, match="period 2 and a schedule are given"):
        dd.Stream(network, period=2, schedule=OnDemand())
    stream, video = dd.Stream(network, schedule=OnDemand()), torch.randn(7, 1, 3, 8, 8)
    assert stream.period is None
    assert shown(stream, video[:3]) == [0]
    stream.period = 3
    assert shown(stream, video) == [0, 3, 6]
    with pytest.raises(ValueError, match="period True must be"):
        stream.period = True
    with pytest.raises(ValueError, match="period True must be"):
        dd.Stream(network, period=True)


def test_a_frame_that_is_not_noted_does_not_count():
    schedule = FixedPeriod(2)
    schedule.note(FRAME, is_key=schedule.is_due(FRAME))
    assert [schedule.is_due(FRAME) for _ in range(3)] == [False] * 3
    assert keys(schedule, [FRAME] * 4) == [1, 3]


def test_a_refresh_that_comes_while_a_frame_is_answered_is_for_the_next():
    schedule = OnDemand()
    is_key = schedule.is_due(FRAME)
    schedule.refresh()
    schedule.note(FRAME, is_key=is_key)
    assert keys(schedule, [FRAME] * 3) == [0]


@pytest.mark.parametrize("fails", [0, 1])
def test_after_a_frame_that_failed_comes_a_key_frame(network, fails):
    def run(network, frame):
        if len(keys) == fails:
            keys.append(None)
            raise RuntimeError("out of memory")
        return network(frame)

    keys, stream = [], dd.Stream(network, period=3, run=run)
    for frame in torch.randn(6, 1, 3, 8, 8):
        try:
            stream(frame)
            keys.append(stream.is_key_frame)
        except RuntimeError:
            assert keys[-1] is None
    assert [index for index, is_key in enumerate(keys) if is_key] == {0: [1, 4], 1: [0, 2, 5]}[fails]


def test_a_wanted_share_of_key_frames_sets_the_threshold_itself():
    """Of an even pace of 4 grey levels the first threshold, 4 · 3, is the right one, and stays so."""
    schedule = AtRate(1 / 3)
    assert keys(schedule, grey(*range(0, 40, 4))) == [0, 3, 6, 9]
    # 12 on frame 1, then e^(−0.1 / 3) on each of two frames and e^(0.2 / 3) on the third: once one too few
    assert schedule.threshold == pytest.approx(12 * math.exp(0.1 / 3))


def test_a_threshold_moves_until_the_share_is_right():
    """The first step is ten times as long as the later ones, so that the threshold begins far too high."""
    found = keys(AtRate(0.25), grey(0, 20, *[22, 20] * 150))
    assert found[1] > 2 * 4
    later = [key for key in found if key > 200]
    assert len(later) == pytest.approx(100 / 4, abs=3)


def test_with_every_stream_the_threshold_is_looked_for_anew():
    schedule = AtRate(0.5)
    video = grey(0, 9, 18, 27, 36, 45)
    first = keys(schedule, video)
    schedule.reset()
    assert keys(schedule, video) == first == [0, 2, 4]


def test_a_still_picture_asks_for_no_key_frame_by_rate():
    assert keys(AtRate(0.5), grey(*[7] * 6)) == [0]
    assert keys(AtRate(0.5, longest=4), grey(*[7] * 6)) == [0, 4]


@pytest.mark.parametrize("wrong", [{"rate": 0}, {"rate": 1}, {"rate": 0.5, "pace": 1}])
def test_a_rate_is_a_share(wrong):
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        AtRate(**wrong)
