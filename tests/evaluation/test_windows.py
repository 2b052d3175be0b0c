"""Long videos window by window, worked by hand."""

from functools import partial

import pytest
import torch

from deltadistill.account.cost import Cost
from deltadistill.data.manifest import Frame
from deltadistill.evaluation.videos import Video
from deltadistill.evaluation.windows import Window, times, windows
from deltadistill.metrics.miou import ConfusionMatrix
from deltadistill.metrics.present_miou import present_miou


def frame(prediction, target):
    counted = ConfusionMatrix(3)
    counted.update(torch.tensor(prediction), torch.tensor(target))
    return counted


def video(*frames):
    made = Video([frame(prediction, target) for prediction, target, _, _ in frames])
    for *_, macs, is_key in frames:
        made.course.note(Cost(macs=macs), is_key=is_key, updates=3 * is_key)
    return made


def test_every_window_has_the_score_of_its_frames_together_and_their_mean_cost():
    made = video(
        ([0, 1, 1], [0, 0, 1], 90, True),
        ([0, 1, 1], [0, 1, 1], 10, False),
        ([2, 2, 2], [2, 2, 2], 10, False),
        ([1, 2, 1], [1, 1, 1], 30, True),
    )
    found = windows(made, [5, 20, 34.9, 71], partial(present_miou, background=0))
    # 0-30: class 1 has 3 of 4, class 2 is whole; 30-60: nothing; 60-90: class 1 has 2 of 3
    assert found == [
        Window(0, 3, pytest.approx((3 / 4 + 1) / 2), 1 / 3, Cost(macs=110 / 3), updates=1),
        Window(60, 1, pytest.approx(2 / 3), 1, Cost(macs=30), updates=3),
    ]


def test_a_frame_that_begins_a_window_belongs_to_it():
    made = video(*([([0], [0], 1, False)] * 4))
    assert [window.frames for window in windows(made, [0, 29.9, 30, 31], present_miou)] == [2, 2]
    assert [window.begins for window in windows(made, [0, 1, 2, 3], present_miou, length=2)] == [0, 2]


def test_what_cannot_be_meant_is_refused():
    made = video(([0], [0], 1, False))
    with pytest.raises(ValueError, match="windows of 0 seconds"):
        windows(made, [0], present_miou, length=0)
    with pytest.raises(ValueError, match="2 time stamps for 1 frames"):
        windows(made, [0, 1], present_miou)


def test_times_are_those_of_the_frames_and_a_data_set_without_any_is_refused():
    assert times([Frame("a", n, "test", "a.png", seconds=n / 10) for n in range(2)]) == [0, 0.1]
    with pytest.raises(ValueError, match="a: its frames have no times"):
        times([Frame("a", 0, "test", "a.png")])
