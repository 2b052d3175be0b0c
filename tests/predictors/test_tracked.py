"""A tracker between detections."""

import numpy as np
import pytest
import torch
from torch import nn

from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.blocks.schedules import FixedPeriod
from deltadistill.data.boxes import Detections
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.predictor import MAIN, build, require_options

SIZE = (96, 192)


class Detects:
    """A task that finds on the n-th key frame, of every third frame, what is said to be there then."""

    def __init__(self, found):
        self.found, self.asked = found, 0

    def predict(self, output, *, network):
        self.asked += 1
        return [each(3 * (self.asked - 1)) for each in self.found]


def walking(frame, speed=2.0, score=0.9, kind=1):
    """A box that goes `speed` pixels to the right a frame."""
    return [10 + speed * frame, 20, 40 + speed * frame, 80], score, kind


def seen(*things):
    """Detections of some things, each a box, a score and a class."""
    boxes, scores, kinds = zip(*things, strict=True)
    return Detections(np.array(boxes), scores, kinds)


def answers(found, count, **options):
    pytest.importorskip("edgefirst.tracker", reason="the extra tracking is not installed")
    predictor = build("tracked", nn.Identity(), Detects(found), options=options)
    predictor.begin(StreamInfo(len(found), SIZE, schedule=FixedPeriod(3)))
    frame = FrameBatch(torch.zeros(len(found), 3, *SIZE, dtype=torch.uint8))
    return [predictor.answer(frame) for _ in range(count)], predictor


def test_a_box_goes_on_as_fast_as_it_went_between_the_key_frames():
    found, _ = answers([lambda frame: seen(walking(frame))], 15)
    assert found[9][0].boxes[0] == pytest.approx(walking(9)[0])  # the detector's own
    for frame in (10, 11, 13, 14):
        assert found[frame][0].boxes[0] == pytest.approx(walking(frame)[0], abs=0.2)
        assert found[frame][0].scores.tolist() == pytest.approx([0.9])


def test_after_the_first_key_frame_boxes_stay_where_they_are():
    found, _ = answers([lambda frame: seen(walking(frame))], 3)
    assert found[1][0].boxes[0] == pytest.approx(walking(0)[0])
    assert found[2][0].boxes[0] == pytest.approx(walking(0)[0])


def test_what_has_no_track_is_repeated():
    """Too unsure to begin a track, or to be shown to the tracker at all."""
    things = [walking, lambda frame: walking(frame, score=0.3, kind=2), lambda frame: walking(frame, 1, 0.05)]
    found, _ = answers([lambda frame: seen(*(thing(frame) for thing in things))], 11)
    assert found[10][0].boxes[1:] == pytest.approx(np.array([walking(9)[0], walking(9, 1)[0]]))
    assert found[10][0].classes.tolist() == [1, 2, 1]


def test_boxes_of_two_classes_at_one_place_have_tracks_of_their_own():
    both = [lambda frame: seen(walking(frame), walking(frame, -1.0, 0.8, 2))]
    found, _ = answers(both, 15)
    assert found[14][0].boxes == pytest.approx(np.array([walking(14)[0], walking(14, -1.0)[0]]), abs=0.3)


def test_streams_do_not_share_tracks_and_a_new_one_forgets():
    streams = [lambda frame: seen(walking(frame)), lambda frame: seen(walking(frame, -2.0))]
    found, predictor = answers(streams, 14)
    assert found[13][1].boxes[0] == pytest.approx(walking(13, -2.0)[0], abs=0.2)
    predictor.begin(StreamInfo(2, SIZE, schedule=FixedPeriod(3)))
    frame = FrameBatch(torch.zeros(2, 3, *SIZE, dtype=torch.uint8))
    first, second = predictor.answer(frame), predictor.answer(frame)
    assert second[0].boxes.tolist() == first[0].boxes.tolist()


def test_a_track_that_is_not_found_again_leaves_and_its_box_with_it():
    found, _ = answers([lambda frame: seen(walking(frame)) if frame < 4 else Detections()], 8)
    assert [len(each[0]) for each in found] == [1, 1, 1, 1, 1, 1, 0, 0]


def test_between_key_frames_no_network_runs():
    _, predictor = answers([lambda frame: seen(walking(frame))], 5)
    assert predictor._task.asked == 2
    costs = predictor.costs({MAIN: FrameCosts(Cost(macs=9), Cost(macs=9))})
    assert (costs.key.macs, costs.delta.macs) == (9, 0)


def test_labels_are_refused():
    with pytest.raises(ValueError, match="a tracker follows boxes; the task predicts Tensor"):
        answers([lambda frame: torch.zeros(SIZE)], 1)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"low_score": 0.6}, "expected 0 <= low <= high <= 1"),
        ({"min_iou": 0}, "min_iou 0"),
        ({"lost_frames": 0}, "lost_frames 0"),
        ({"period": 3}, "unexpected keyword argument 'period'"),
    ],
)
def test_settings_are_looked_at_before_anything_runs(options, says):
    with pytest.raises(ValueError, match=says):
        require_options("tracked", options)


def test_without_its_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "edgefirst.tracker", None)
    with pytest.raises(ImportError, match=r"pip install 'deltadistill\[tracking\]'"):
        build("tracked", nn.Identity(), None)
