import numpy as np
import pytest

from deltadistill.data.boxes import NO_TRACK, Objects
from deltadistill.metrics.motion_speed import SPEEDS, is_of_speed, motion_iou


def clip_of(starts, track=3):
    """A box of 10×10 whose left edge is at `starts` in successive frames; None: not there."""
    return [
        Objects([], []) if start is None else Objects([[start, 0, start + 10, 10]], [0], [track])
        for start in starts
    ]


def test_motion_is_the_mean_overlap_with_the_tracks_other_boxes():
    result = motion_iou(clip_of([0, 1, 3]))
    one, two, three = 90 / 110, 80 / 120, 70 / 130  # IoU after moving by 1, 2 and 3 pixels
    expected = [(one + three) / 2, (one + two) / 2, (two + three) / 2]
    assert [float(frame[0]) for frame in result] == pytest.approx(expected)


def test_only_ten_frames_before_and_after_count():
    starts = [0] * 11 + [100] * 2
    result = motion_iou(clip_of(starts))
    assert float(result[0][0]) == 1  # frames 1 to 10
    assert float(result[1][0]) == pytest.approx(10 / 11)  # frame 11 is within reach
    assert float(motion_iou(clip_of(starts), reach=2)[8][0]) == 1


def test_gaps_are_skipped_and_lone_or_unknown_tracks_have_no_motion():
    result = motion_iou(clip_of([0, None, 0]))
    assert [frame.tolist() for frame in result] == [[1.0], [], [1.0]]
    assert np.isnan(motion_iou(clip_of([0]))[0]).all()
    assert all(np.isnan(frame).all() for frame in motion_iou(clip_of([0, 0], track=NO_TRACK)))


def test_tracks_are_not_mixed():
    two = Objects([[0, 0, 10, 10], [50, 0, 60, 10]], [0, 0], [1, 2])
    swapped = Objects([[50, 0, 60, 10], [5, 0, 15, 10]], [0, 0], [2, 1])
    first, second = motion_iou([two, swapped])
    assert first == pytest.approx(np.array([50 / 150, 1]))
    assert second == pytest.approx(np.array([1, 50 / 150]))


def test_every_known_motion_has_one_speed():
    motion = np.array([0.95, 0.9, 0.8, 0.7, 0.69, np.nan])
    of_speed = {speed: is_of_speed(motion, speed).tolist() for speed in SPEEDS}
    assert of_speed == {
        "slow": [True, False, False, False, False, False],
        "medium": [False, True, True, True, False, False],
        "fast": [False, False, False, False, True, False],
    }
    with pytest.raises(ValueError, match="unknown speed 'still'; there are slow, medium, fast"):
        is_of_speed(motion, "still")
