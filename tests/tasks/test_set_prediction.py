"""Detection as a set by hand: shares, what is assigned, the loss, imitation, and boxes from answers."""

import copy
import math

import pytest
import torch
from tasks.boxes_by_hand import detection, references

from deltadistill import models
from deltadistill.tasks.detection import detector_of
from deltadistill.tasks.set_prediction import (
    SetPrediction,
    box_losses,
    frame_loss,
    imitated,
    in_shares,
    paired,
)

LN2, LN3 = math.log(2), math.log(3)
OBJECT = torch.tensor([[0.5, 0.5, 0.4, 0.4]])
BOXES = torch.tensor([[0.5, 0.5, 0.4, 0.4], [0.5, 0.5, 0.2, 0.2]])
LOGITS = torch.tensor([[0.0, 0.0], [LN3, 0.0]])  # of the one class ½ and ¾
CLASS = torch.tensor([0])


def detr(**changes):
    torch.manual_seed(0)
    sizes = {"channels": 4, "width": 16, "heads": 2, "encoder": 1, "decoder": 1, "queries": 6}
    return models.build("detr", classes=3, **sizes | changes).eval()


def answer(logits=LOGITS, boxes=BOXES, size=(100, 200)):
    return {"logits": logits[None], "boxes": boxes[None], "sizes": torch.tensor([size])}


def test_shares_of_a_frame_by_hand():
    found = in_shares(torch.tensor([[10.0, 20.0, 30.0, 60.0]]), torch.tensor([100, 200]))
    assert found.tolist() == [pytest.approx([0.1, 0.4, 0.1, 0.4])]


def test_the_loss_of_boxes_by_hand():
    """Sides 0.2 for 0.4 at one centre: 5 · 0.4, and of the area a quarter is shared, 2 · ¾."""
    assert box_losses(BOXES, OBJECT.expand(2, -1)).tolist() == pytest.approx([0, 2 + 1.5], abs=1e-6)


def test_the_loss_of_a_frame_by_hand():
    """The first query costs −½ − 2, the second −¾ + 2 − ½: −log ½, and a tenth of −log ¼."""
    assert frame_loss(LOGITS, BOXES, CLASS, OBJECT).item() == pytest.approx(LN2 + 0.1 * 2 * LN2, rel=1e-5)


def test_of_two_queries_with_one_box_the_surer_of_the_class_has_the_object():
    found = frame_loss(LOGITS, OBJECT.expand(2, -1), CLASS, OBJECT)
    assert found.item() == pytest.approx(math.log(4 / 3) + 0.1 * LN2, rel=1e-5)


def test_of_a_frame_without_objects_there_is_nothing_to_find():
    nothing = frame_loss(LOGITS, BOXES, torch.zeros(0, dtype=torch.long), torch.zeros(0, 4))
    assert nothing.item() == pytest.approx(0.1 * (LN2 + 2 * LN2), rel=1e-5)


def test_what_is_imitated_by_hand():
    """Told (¾, ¼), said (½, ½), boxes 0.4 apart: KL, and 5 · ¾ · 0.4."""
    found = imitated(torch.zeros(1, 2), BOXES[1:], torch.tensor([[LN3, 0.0]]), OBJECT)
    assert found.item() == pytest.approx(0.75 * math.log(1.5) - 0.25 * LN2 + 1.5, rel=1e-5)


def test_queries_are_paired_by_what_they_say_whatever_their_order_and_number():
    turned = torch.tensor([1, 0])
    own, theirs = paired(LOGITS, BOXES, LOGITS[turned], BOXES[turned])
    assert (own.tolist(), theirs.tolist()) == ([0, 1], [1, 0])
    own, theirs = paired(LOGITS, BOXES, LOGITS[1:], BOXES[1:])
    assert (own.tolist(), theirs.tolist()) == ([1], [0])


def test_the_loss_of_a_batch_counts_annotated_frames_and_divides_by_objects():
    task, network = detection(), detr()
    output = {name: torch.cat([each, each]) for name, each in answer().items()}
    boxes = references([(60.0, 30.0, 140.0, 70.0, 0.0)], [])
    alone = task.loss(output, task.targets(boxes, network=network), network=network)
    both = 1.2 * LN2 + 0.3 * LN2
    assert alone.item() == pytest.approx(both, rel=1e-5)
    boxes[1, 0, 4] = -2.0  # nothing is known of the second
    targets = task.targets(boxes, network=network)
    assert targets.extent.item() == 1
    assert task.loss(output, targets, network=network).item() == pytest.approx(1.2 * LN2, rel=1e-5)


def test_more_objects_than_queries_are_refused():
    with pytest.raises(
        ValueError, match="a frame has 3 objects and the network 2 queries; give the model more"
    ):
        frame_loss(LOGITS, BOXES, torch.zeros(3, dtype=torch.long), OBJECT.expand(3, -1))


def test_boxes_of_an_answer_are_in_pixels_of_the_frame():
    (found,) = detection(min_score=0.4, max_iou=0.2).predict(answer(), network=detr())
    assert found.scores.tolist() == pytest.approx([0.75])  # the other overlaps it by a quarter
    assert found.boxes.tolist() == [pytest.approx([80, 40, 120, 60])]


def test_a_network_imitates_itself_without_loss_and_another_with_one():
    network, frames = detr(), torch.rand(2, 3, 32, 48)
    other = copy.deepcopy(network)
    torch.nn.init.normal_(other.classify.weight)
    task = detection()
    with torch.no_grad():
        output, told = network(frames), other(frames)
    assert task.imitation_loss(output, output, network=network).item() == pytest.approx(0, abs=1e-6)
    assert task.imitation_loss(output, told, network=network, teacher=other).item() > 0.01


def test_it_learns_the_boxes_of_a_frame():
    torch.manual_seed(0)
    network, frames, task = detr().train(), torch.rand(1, 3, 32, 32), detection()
    targets = task.targets(
        references([(0.0, 0.0, 16.0, 16.0, 1.0), (16.0, 8.0, 32.0, 32.0, 2.0)]), network=network
    )
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.01)
    losses = []
    for _ in range(40):
        loss = task.loss(network(frames), targets, network=network)
        optimiser.zero_grad(), loss.backward(), optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def test_it_is_read_as_a_set_and_has_no_anchors():
    network = detr()
    reader = detector_of(network)
    assert isinstance(reader, SetPrediction)
    assert reader.image_size(network) is None
    with pytest.raises(ValueError, match="has queries and no anchors"):
        reader.anchor_grids(network, (32, 32), torch.device("cpu"))
