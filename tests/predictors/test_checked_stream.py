"""A stream that asks its teacher where its students and the moved key frame do not agree."""

import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.blocks.schedules import FixedPeriod
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.predictor import MAIN, build
from deltadistill.tasks.segmentation import Segmentation

SIZE = (16, 24)
COSTS = {MAIN: FrameCosts(Cost(macs=90), Cost(macs=20))}


@pytest.fixture
def network():
    """Class 1 where the picture is bright; students that predict no change."""
    network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 1)).eval()
    with torch.no_grad():
        for layer in network:
            layer.weight.zero_()
            layer.bias.zero_()
        network[0].weight[1, 0] = 1.0
        network[1].weight[1, 1, 1, 1] = 1.0
        network[2].weight[1, 1] = 1.0
    network = dd.convert(network, dd.LinearStudent(gamma=1, keep_dearer=True), lambda _: ["1"])
    for block in network.modules():
        if hasattr(block, "decide"):
            block.decide("compressed")
            for weights in block.compressed.parameters():
                nn.init.zeros_(weights)
    return network


def bright(columns):
    """A picture that is bright left of a column."""
    picture = torch.zeros(1, 3, *SIZE, dtype=torch.uint8)
    picture[..., :columns] = 255
    return FrameBatch(picture)


def run(network, columns, agreement, period=9):
    predictor = build("checked_stream", network, Segmentation(2), options={"agreement": agreement})
    predictor.begin(StreamInfo(1, SIZE, schedule=FixedPeriod(period)))
    found = []
    for each in columns:
        answer = predictor.answer(bright(each))
        costs = predictor.last_cost(COSTS).macs - predictor._motions.macs(SIZE) * (not predictor._asked)
        found.append((int(answer[0, 8].sum()), predictor.is_key_frame, costs))
    return found


def test_while_both_agree_students_answer(network):
    assert run(network, [12, 12, 12], 1.0) == [(12, True, 90), (12, False, 20), (12, False, 20)]


def test_a_frame_on_which_they_do_not_agree_is_answered_by_the_teacher(network, monkeypatch):
    """Students say the key frame's 12 columns; moved, it says 12 and then 6 more: a quarter of all."""
    says = iter([12, 18, 18])
    labels = lambda key, back: bright(next(says)).pictures[0, 0].numpy() // 255  # noqa: E731
    monkeypatch.setattr("deltadistill.predictors.checked_stream.moved_labels", labels)
    found = run(network, [12, 12, 18, 18], 0.8)
    assert found == [(12, True, 90), (12, False, 20), (18, True, 20 + 90), (18, False, 20)]


def test_the_schedules_key_frames_are_not_checked(network):
    assert [is_key for _, is_key, _ in run(network, [12] * 4, 0.5, period=2)] == [True, False, True, False]


def test_what_cannot_be_meant_is_refused(network):
    for agreement in (0, 1.5):
        with pytest.raises(ValueError, match=f"agreement {agreement}"):
            run(network, [], agreement)
