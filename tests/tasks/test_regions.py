"""Two-stage detection: losses and boxes against numbers worked by hand, and against torchvision's own way."""

from math import exp, log, log1p

import numpy as np
import pytest
import torch
from tasks.boxes_by_hand import detection, references
from tasks.detectors import build, clip

from deltadistill import models
from deltadistill.data.boxes import UNKNOWN
from deltadistill.forward.outputs import frame_outputs

ANCHORS = 4 * 4 * 3  # of a 64×64 frame: one size, three ratios
# Of position (row 1, column 2) the square anchor, second of three, has its middle at x 32, y 16.
ANCHOR = (32 - 16, 16 - 16, 32 + 16, 16 + 16)
SURE_OF_ONE = (1, 1, 2)  # anchor, row, column
SMOOTH = 1 / 9  # from here on the loss of an offset is linear


def network(**changes):
    """Three classes, anchors of 32 pixels, one proposal; the heads say the same of every region."""
    options = {"short_side": 64, "long_side": 64, "layers": [1, 1, 1, 1], "width": 8, "features": 4}
    options |= {"box_features": 8, "anchor_scales": [2], "proposals": 1, "proposals_in_training": 1}
    made = models.build("faster_rcnn_r101", classes=3, **options | changes).eval()
    for parameter in made.roi_heads.box_predictor.parameters():
        torch.nn.init.zeros_(parameter)
    return made


def maps(frames=1, *, logit=2.0, size=(64, 64)):
    """One anchor is the surest, and no anchor is moved."""
    objectness = torch.zeros(frames, 3, 4, 4)
    objectness[:, *SURE_OF_ONE] = logit
    sizes = torch.tensor([[*size], [64, 64]]).expand(frames, 2, 2)
    zeros = torch.zeros(frames, 12, 4, 4)
    return {
        "features": torch.rand(frames, 4, 4, 4),
        "objectness": objectness,
        "offsets": zeros,
        "sizes": sizes,
    }


def loss_of(output, *frames, task=None, by=None):
    task, by = task or detection(3), by or network()
    return task.loss(output, task.targets(references(*frames), network=by), network=by).item()


# Neither object nor background are anchors with an IoU between 0.3 and 0.7: around the anchor the four
# squares a step away, the two others at its place, and of these the two a step on along their longer side.
DRAWN = ANCHORS - (4 + 2 + 2 * 2)
OBJECTNESS = ((DRAWN - 1) * log(2) + log1p(exp(-2))) / DRAWN


def test_the_loss_of_a_box_that_is_an_anchor_is_that_of_classes_alone():
    # the one proposal is the box, which stands beside it once more: two regions of class 2, of equal logits
    assert loss_of(maps(), [(*ANCHOR, 2)]) == pytest.approx(OBJECTNESS + log(4), rel=1e-5)


def test_the_loss_of_a_box_beside_the_anchor_counts_both_stages_offsets():
    x0, y0, x1, y1 = ANCHOR  # 4 of 32 pixels on: IoU 28 / 36
    moved = 4 / 32
    drawn = ANCHORS - 7  # of the squares and those along x only the ones to the right are so close
    objectness = ((drawn - 1) * log(2) + log1p(exp(-2))) / drawn
    anchor = (moved - SMOOTH / 2) / drawn
    region = (5 * moved - SMOOTH / 2) / 2  # the other region is the box itself
    loss = loss_of(maps(), [(x0 + 4, y0, x1 + 4, y1, 0)])
    assert loss == pytest.approx(objectness + anchor + log(4) + region, rel=1e-5)


def test_the_loss_of_an_empty_frame_is_that_of_background():
    objectness = ((ANCHORS - 1) * log(2) + log1p(exp(2))) / ANCHORS
    assert loss_of(maps(), []) == pytest.approx(objectness + log(4), rel=1e-5)


def test_a_frame_that_is_not_annotated_costs_nothing_and_is_not_counted():
    unknown, by, task = [(0, 0, 0, 0, UNKNOWN)], network(), detection(3)
    assert loss_of(maps(), unknown) == 0
    assert loss_of(maps(2), unknown, [(*ANCHOR, 2)]) == pytest.approx(OBJECTNESS + log(4), rel=1e-5)
    loss = task.loss(maps(), task.targets(references(unknown), network=by), network=by)
    loss.backward()  # every process must have a gradient of every parameter, be it zero
    assert all(p.grad is not None and not p.grad.any() for p in by.roi_heads.parameters())


def test_boxes_are_resized_as_their_frame_was():
    half = [value / 2 for value in ANCHOR]
    assert loss_of(maps(size=(32, 32)), [(*half, 2)]) == pytest.approx(OBJECTNESS + log(4), rel=1e-5)


def test_the_four_losses_are_torchvisions():
    by = build("faster_rcnn_r101").train()
    frame, box = clip(1)[:, 0], [20.0, 30.0, 60.0, 80.0]
    target = {"boxes": torch.tensor([box]), "labels": torch.tensor([2])}
    torch.manual_seed(4)
    losses = by(frame, [target])
    torch.manual_seed(4)
    torch.rand(1)  # torchvision draws among its short sides, of which there is one
    output = frame_outputs(by, frame)
    assert set(losses) == {"loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg"}
    assert loss_of(output, [(*box, 1)], by=by) == pytest.approx(sum(losses.values()).item(), rel=1e-5)


def test_which_anchors_and_regions_are_drawn_is_up_to_pytorchs_generator():
    by = build("faster_rcnn_r101")
    output = frame_outputs(by, clip(1)[:, 0])
    output["objectness"] = 100 * output["objectness"]  # of 576 anchors 256 are drawn
    losses = {}
    for seed in (0, 1):
        torch.manual_seed(seed)
        first = loss_of(output, [(20, 30, 60, 80, 1)], by=by)
        torch.manual_seed(seed)
        losses[seed] = loss_of(output, [(20, 30, 60, 80, 1)], by=by)
        assert losses[seed] == first
    assert losses[0] != losses[1]


def test_frames_in_parts_add_up_to_the_loss_of_the_whole():
    task, by, output = detection(3), network(proposals_in_training=5), maps(3)
    frames = [(*ANCHOR, 1)], [], [(0, 0, 40, 30, 0), (20, 20, 50, 60, 1)]
    whole = task.targets(references(*frames), network=by)
    of = task.extent([(None, whole)])
    assert of == 3
    parts = []
    for frame in range(3):
        targets = task.targets(references(*frames)[frame : frame + 1], network=by)
        part = {name: values[frame : frame + 1] for name, values in output.items()}
        parts.append(task.loss(part, targets, of, network=by).item())
    assert sum(parts) == pytest.approx(task.loss(output, whole, network=by).item(), rel=1e-5)


def speaking(**changes):
    """A network of which every region is of class 2, 3.2 of 32 pixels on."""
    made = network(**changes)
    head = made.roi_heads.box_predictor
    with torch.no_grad():
        head.cls_score.bias[3] = 2.0
        head.bbox_pred.bias[12] = 0.5  # x of class 2, whose offsets are those in fifths of the length
    return made


def test_a_region_becomes_the_box_of_its_class_moved_by_its_offset():
    (found,) = detection(3).predict(maps(), network=speaking())
    x0, y0, x1, y1 = ANCHOR
    assert found.boxes.tolist() == [pytest.approx([x0 + 3.2, y0, x1 + 3.2, y1], abs=1e-4)]
    assert (found.classes.tolist(), found.scores[0]) == ([2], pytest.approx(exp(2) / (exp(2) + 3)))


def test_boxes_come_back_in_pixels_of_the_frame_and_end_at_its_border():
    (found,) = detection(3).predict(maps(size=(32, 32)), network=speaking())
    assert found.boxes[0] == pytest.approx([9.6, 0, 25.6, 16], abs=1e-4)
    wide = speaking(short_side=64, long_side=64)
    with torch.no_grad():
        wide.roi_heads.box_predictor.bbox_pred.bias[12] = 5.0
    (found,) = detection(3).predict(maps(), network=wide)
    assert found.boxes[0] == pytest.approx([48, 0, 64, 32], abs=1e-4)


def test_features_in_half_precision_as_autocast_leaves_them_are_judged_as_well():
    output = maps()
    output["features"] = output["features"].bfloat16()
    (found,), (expected,) = (detection(3).predict(each, network=speaking()) for each in (output, maps()))
    assert found.boxes.tolist() == expected.boxes.tolist()
    assert loss_of(output, [(*ANCHOR, 2)]) == pytest.approx(OBJECTNESS + log(4), rel=1e-5)


def test_every_class_of_a_region_may_be_found_and_doubles_are_suppressed():
    everything = detection(3, min_score=0.0)
    (found,) = everything.predict(maps(), network=network())  # three classes of the one region
    assert sorted(found.classes.tolist()) == [0, 1, 2]
    (found,) = everything.predict(maps(), network=network(proposals=9))
    boxes = found.boxes[found.classes == 0]
    assert len(boxes) == len(np.unique(boxes, axis=0))


def test_detections_are_those_of_the_networks_own_forward():
    by, frames = build("faster_rcnn_r101"), clip(2)[:, 0]
    task = detection(3, min_score=1e-4, max_iou=0.5, candidates=10**6, max_detections=100)
    with torch.no_grad():
        found, expected = task.predict(frame_outputs(by, frames), network=by), by(frames)
    for ours, theirs in zip(found, expected, strict=True):
        assert len(ours) == len(theirs["boxes"]) > 10
        assert ours.boxes == pytest.approx(theirs["boxes"].numpy(), abs=1e-4)
        assert ours.scores == pytest.approx(theirs["scores"].numpy(), abs=1e-6)
        assert (ours.classes == theirs["labels"].numpy() - 1).all()


def test_nothing_of_a_frames_boxes_leaks_into_anothers():
    by, frames = build("faster_rcnn_r101"), clip(3)[:, 0]
    task = detection(3, min_score=0.05)
    with torch.no_grad():
        together = task.predict(frame_outputs(by, frames), network=by)
        alone = [task.predict(frame_outputs(by, frame[None]), network=by)[0] for frame in frames]
    for one, other in zip(together, alone, strict=True):
        assert len(one) == len(other) > 0
        assert one.boxes == pytest.approx(other.boxes, abs=1e-3)
        assert one.scores == pytest.approx(other.scores, abs=1e-5)
        assert (one.classes == other.classes).all()


def test_imitation_costs_nothing_where_both_stages_say_the_same():
    by = build("faster_rcnn_r101")
    output = frame_outputs(by, clip(2)[:, 0])
    assert detection(3).imitation_loss(output, output, network=by).item() == pytest.approx(0, abs=1e-5)


def test_imitation_compares_classes_of_the_teachers_proposals_and_weighs_offsets():
    taught = speaking()  # class 2 with a score of e² / (e² + 3), moved by an offset of 0.5
    sure, rest = exp(2) / (exp(2) + 3), 1 / (exp(2) + 3)
    divergence = sure * log(4 * sure) + 3 * rest * log(4 * rest)
    expected = divergence + sure * (0.5 - SMOOTH / 2)
    loss = detection(3).imitation_loss(maps(2), maps(2), network=network(), teacher=taught)
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def test_imitation_compares_scores_and_offsets_of_anchors():
    by, taught, output = network(), maps(logit=log(3)), maps(logit=0.0)
    for level in (taught, output):
        level["objectness"] = level["objectness"] - 30 * (level["objectness"] != log(3)).float()
    output["objectness"][0, *SURE_OF_ONE] = 0.0  # 0.5, where the teacher says 0.75
    output["offsets"][0, 4, 1, 2] = 0.3  # x of the same anchor
    divergence = 0.75 * log(0.75 / 0.5) + 0.25 * log(0.25 / 0.5)
    expected = divergence + 0.75 * (0.3 - SMOOTH / 2)
    loss = detection(3).imitation_loss(output, taught, network=by)
    assert loss.item() == pytest.approx(expected / 2, rel=1e-4)  # one anchor is taken for an object, and one
