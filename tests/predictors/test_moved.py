"""Answers that move along with the picture between key frames."""

import numpy as np
import pytest
import torch
from preparation.small_videos import drifting
from torch import nn

from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.blocks.schedules import FixedPeriod
from deltadistill.data.boxes import Detections
from deltadistill.metrics.top_classes import Ranking
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.predictor import MAIN, build
from deltadistill.tasks.task import on_processor

SIZE = (64, 96)


class Says:
    """A task that says of every frame what it is told to, and counts how often it is asked."""

    def __init__(self, predictions):
        self.predictions, self.asked = predictions, 0

    def predict(self, output, *, network):
        self.asked += 1
        return on_processor(self.predictions)


def answers(predictions, count=3, *, still=False, period=9, **options):
    """What is said of two streams, the second of which stands still; pictures move two pixels a frame."""
    frames = [torch.from_numpy(frame.copy()).permute(2, 0, 1) for frame in drifting(2 * count, SIZE)[::2]]
    task = Says(predictions)
    predictor = build("moved", nn.Identity(), task, options={"preset": "medium"} | options)
    predictor.begin(StreamInfo(2, SIZE, schedule=FixedPeriod(period)))
    found = [
        predictor.answer(FrameBatch(torch.stack([frames[0] if still else frame, frames[0]])))
        for frame in frames
    ]
    return found, task, predictor


def stripes(kind):
    """Two label maps whose column 40 … 59 is 3."""
    labels = torch.zeros(2, *SIZE, dtype=kind)
    labels[..., 40:60] = 3
    return labels


@pytest.mark.parametrize("motion", ["flow", "encoded"])
def test_labels_go_where_the_picture_goes(motion):
    (_, _, found), task, predictor = answers(stripes(torch.uint8), motion=motion)
    assert found.dtype == torch.uint8
    wanted = stripes(torch.uint8).roll(4, 2)  # two frames of two pixels
    assert (found == wanted)[0, 16:48].float().mean() > 0.97
    assert torch.equal(found[1], stripes(torch.uint8)[1])  # the other stream stands
    assert task.asked == 1
    assert not predictor.is_key_frame


def test_maps_are_interpolated_and_their_size_is_their_own():
    maps = stripes(torch.float32)[:, None, ::2, ::2].repeat(1, 5, 1, 1)  # half as wide as the picture
    (_, found), _, predictor = answers(maps, count=2)
    assert found.shape == maps.shape
    assert found[0, 3, 12, 20:32].tolist() == pytest.approx([0, *[3] * 10, 0], abs=0.6)  # one place further
    costs = predictor.costs({MAIN: FrameCosts(Cost(macs=9), Cost(macs=9))})
    assert costs.key.macs == 9
    flow = predictor._motions.macs(SIZE)
    assert costs.delta.macs == flow + 4 * 5 * 32 * 48  # four to a sample


def test_boxes_go_with_what_is_inside():
    boxes = Detections([[30.0, 16, 60, 48]], [0.5], [2])
    (_, _, (first, second)), _, predictor = answers([boxes, boxes])
    assert first.boxes[0] == pytest.approx([34, 16, 64, 48], abs=0.5)
    assert (first.scores.tolist(), first.classes.tolist()) == ([0.5], [2])
    assert second.boxes.tolist() == boxes.boxes.tolist()
    cost = predictor.costs({MAIN: FrameCosts(Cost(macs=9), Cost(macs=9))}).delta
    assert cost.macs == predictor._motions.macs(SIZE)  # moving boxes is none


def test_in_a_still_picture_answers_stay_as_they_are():
    found, _, _ = answers(stripes(torch.uint8), still=True)
    assert all(torch.equal(each, stripes(torch.uint8)) for each in found)


def test_every_key_frame_is_answered_anew():
    found, task, _ = answers(stripes(torch.uint8), 4, period=2)
    assert task.asked == 2
    assert torch.equal(found[2], stripes(torch.uint8))


def test_answers_without_places_are_refused():
    ranking = Ranking(torch.arange(2), torch.ones(2))
    with pytest.raises(ValueError, match=r"prediction of type Ranking has no places.*predict: copy"):
        answers([ranking, ranking])


def test_settings_are_looked_at_before_anything_runs():
    with pytest.raises(ValueError, match="motion 'dis' is unknown"):
        build("moved", nn.Identity(), None, options={"motion": "dis"})


def test_the_vectors_of_a_file_are_followed():
    labels, frames = stripes(torch.uint8), drifting(2, SIZE)
    predictor = build("moved", nn.Identity(), Says(labels), options={"motion": "vectors"})
    predictor.begin(StreamInfo(2, SIZE))
    batches = [torch.from_numpy(np.stack([frame, frame])).permute(0, 3, 1, 2) for frame in frames]
    predictor.answer(FrameBatch(batches[0]))
    motion = torch.tensor([-1.0, 0])[:, None, None].expand(2, 2, *SIZE)
    assert (
        predictor.answer(FrameBatch(batches[1], motion=motion)) == labels.roll(1, 2)
    ).float().mean() > 0.97
