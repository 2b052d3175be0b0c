"""Detection: targets, losses and boxes against numbers worked by hand; the metric; what is refused."""

from math import exp, log

import numpy as np
import pytest
import torch
from tasks.boxes_by_hand import ANCHORS, LAYOUT, Anchored, detection, maps, references
from torch import nn

from deltadistill.data.boxes import UNKNOWN, Detections, Objects
from deltadistill.data.manifest import DatasetInfo, Frame
from deltadistill.metrics.counters import add_up
from deltadistill.tasks import of_dataset as tasks
from deltadistill.tasks.detection import Detection
from deltadistill.tasks.detection_metric import DetectionMetric, Wanted
from deltadistill.tasks.segmentation import Segmentation

NETWORK = Anchored()
# Of level 3 the position in row 4, column 5 has its middle at x 44, y 36; its first anchor is 4 strides long.
ANCHOR = (44 - 16, 36 - 16, 44 + 16, 36 + 16)
FOCAL = 0.5**1.5 * log(2)  # of a logit of zero, without alpha
BACKGROUND = 0.75 * FOCAL


def targets_of(*frames, task=None):
    return (task or detection()).targets(references(*frames), network=NETWORK)


def test_a_box_that_is_an_anchor_is_that_anchors_target_without_offset():
    targets = targets_of([(*ANCHOR, 0)])
    assert targets.classes[0][0, 4, 5, 0] == 0
    assert targets.offsets[0][0, 4, 5, :4].abs().max() < 1e-6


def test_offsets_are_shifts_in_anchor_lengths_and_logarithms_of_sizes():
    x0, y0, x1, y1 = ANCHOR  # moved by 4 to the right, and half as high again
    targets = targets_of([(x0 + 4, y0 - 8, x1 + 4, y1 + 8, 0)])
    offsets = targets.offsets[0][0, 4, 5, :4]  # y, x, height, width
    assert offsets.tolist() == pytest.approx([0, 4 / 32, log(1.5), 0], abs=1e-5)


def test_the_loss_is_focal_and_divided_by_the_positives_and_one():
    task, targets = detection(), targets_of([(*ANCHOR, 0)])
    positives = sum((level == 0).sum().item() for level in targets.classes)
    assert task.extent([(None, targets)]) == positives > 1
    logits, _ = maps()
    flat = [level.view(1, *level.shape[1:3], 9, 4) for level in targets.offsets]
    offsets = [level.permute(0, 3, 4, 1, 2).flatten(1, 2) for level in flat]  # as they should be
    loss = task.loss((logits, offsets), targets, network=NETWORK)
    focal = positives * 0.25 * FOCAL + (ANCHORS - positives) * BACKGROUND
    assert loss.item() == pytest.approx(focal / (positives + 1), rel=1e-5)


def test_a_wrong_offset_costs_half_its_square_times_fifty():
    task = detection()
    targets = targets_of([(ANCHOR[0] + 4, *ANCHOR[1:2], ANCHOR[2] + 4, ANCHOR[3], 0)])
    logits, _ = maps()
    right = [level.permute(0, 3, 1, 2).clone() for level in targets.offsets]
    wrong = [level.clone() for level in right]
    wrong[0][0, 1, 4, 5] += 0.05  # x of the first anchor, below the 0.1 from which on the loss is linear
    losses = [
        task.loss((logits, offsets), targets, torch.tensor(9.0), network=NETWORK).item()
        for offsets in (right, wrong)
    ]
    assert losses[1] - losses[0] == pytest.approx(50 * 0.5 * 0.05**2 / (4 * 10), rel=1e-2)


def test_frames_in_parts_add_up_to_the_loss_of_the_whole():
    task = detection(classes=2)
    frames = [(*ANCHOR, 1)], [], [(0, 0, 40, 30, 0), (60, 60, 90, 110, 1)]
    torch.manual_seed(0)
    output = tuple([torch.randn_like(level) for level in part] for part in maps(3, 2))
    whole = task.targets(references(*frames), network=NETWORK)
    of = task.extent([(None, whole)])
    parts = []
    for frame in range(3):
        targets = task.targets(references(*frames)[frame : frame + 1], network=NETWORK)
        part = tuple([level[frame : frame + 1] for level in levels] for levels in output)
        parts.append(task.loss(part, targets, of, network=NETWORK))
    assert sum(parts).item() == pytest.approx(task.loss(output, whole, network=NETWORK).item(), rel=1e-5)


def test_a_frame_that_is_not_annotated_costs_nothing_and_an_empty_one_its_background():
    task = detection()
    for rows, expected in (([(0, 0, 0, 0, UNKNOWN)], 0.0), ([], ANCHORS * BACKGROUND)):
        logits, offsets = maps()
        for level in (*logits, *offsets):
            level.requires_grad_()
        targets = targets_of(rows)
        assert task.extent([(None, targets)]) == 0
        loss = task.loss((logits, offsets), targets, network=NETWORK)
        assert loss.item() == pytest.approx(expected, rel=1e-5)
        loss.backward()
        assert bool(logits[0].grad.any()) == bool(expected)


def test_imitation_costs_nothing_where_scores_and_offsets_are_the_teachers():
    output = maps(2, 3, logit=-1.0)
    assert detection(3).imitation_loss(output, output, network=NETWORK).item() == pytest.approx(0, abs=1e-6)


def test_imitation_of_a_network_in_float64_is_computed_in_float64():
    """Two offsets that float32 cannot tell apart are different."""
    output, taught = maps(3), maps(3)
    output, taught = ([[level.double() for level in part] for part in whole] for whole in (output, taught))
    output[1][0] += 1e-12
    loss = detection(3).imitation_loss(output, taught, network=NETWORK)
    assert loss.dtype == torch.float64
    assert loss > 0


def test_imitation_compares_scores_and_weighs_offsets_by_the_teachers():
    taught, output = maps(logit=-30.0), maps(logit=-30.0)
    taught[0][0][0, 0, 4, 5] = log(3)  # 0.75, so that one anchor is taken for an object
    output[0][0][0, 0, 4, 5] = 0.0  # 0.5
    output[1][0][0, 2, 4, 5] = 0.3  # linear: 0.1 · (0.3 − 0.05)
    divergence = 0.75 * log(0.75 / 0.5) + 0.25 * log(0.25 / 0.5)
    expected = 0.25**2 * divergence + 50 * 0.75 * (0.1 * 0.25) / 4
    loss = detection().imitation_loss(output, taught, network=NETWORK)
    assert loss.item() == pytest.approx(expected / 2, rel=1e-5)


def test_an_anchor_that_is_sure_becomes_its_box_moved_by_its_offset():
    logits, offsets = maps(classes=2, logit=-9.0)
    logits[0][0, 1, 4, 5] = 2.0  # second class of the first anchor
    offsets[0][0, 1, 4, 5] = 0.125  # 4 pixels to the right
    offsets[0][0, 2, 4, 5] = log(1.5)
    (found,) = detection(2).predict((logits, offsets), network=NETWORK)
    x0, y0, x1, y1 = ANCHOR
    assert found.boxes[0] == pytest.approx([x0 + 4, y0 - 8, x1 + 4, y1 + 8], abs=1e-4)
    assert (found.classes.tolist(), found.scores[0]) == ([1], pytest.approx(1 / (1 + exp(-2))))


def test_doubles_are_suppressed_class_by_class_and_boxes_end_at_the_image():
    logits, offsets = maps(classes=2, logit=-9.0)
    logits[0][0, 0, 4, 5] = 2.0
    logits[0][0, 0, 4, 6] = 1.0  # 8 pixels on: IoU 24 / 40
    logits[0][0, 1, 4, 6] = 0.5  # the same place, the other class
    logits[0][0, 0, 0, 0] = 0.0  # reaches outside
    (found,) = detection(2).predict((logits, offsets), network=NETWORK)
    assert found.scores.tolist() == pytest.approx([1 / (1 + exp(-x)) for x in (2.0, 0.5, 0.0)])
    assert found.classes.tolist() == [0, 1, 0]
    assert found.boxes[2].tolist() == [0, 0, 20, 20]


def test_no_more_boxes_than_asked_for_and_none_below_the_least_score():
    logits, offsets = maps(logit=-9.0)
    logits[0][0, 0, ::4, ::4] = torch.linspace(-1, 2, 16).view(4, 4)
    (found,) = detection(max_detections=3).predict((logits, offsets), network=NETWORK)
    assert len(found) == 3
    assert found.scores[0] == pytest.approx(1 / (1 + exp(-2)))
    (found,) = detection(min_score=0.87).predict((logits, offsets), network=NETWORK)
    assert len(found) == 1
    (nothing,) = detection(min_score=0.99).predict((logits, offsets), network=NETWORK)
    assert (len(nothing), nothing.boxes.shape) == (0, (0, 4))


def test_nothing_of_a_frames_boxes_leaks_into_anothers():
    torch.manual_seed(0)
    output = tuple([torch.randn_like(level) for level in part] for part in maps(3, 2))
    task = detection(2)
    together = task.predict(output, network=NETWORK)
    for frame, found in enumerate(together):
        alone = tuple([level[frame : frame + 1] for level in part] for part in output)
        (other,) = task.predict(alone, network=NETWORK)
        assert np.array_equal(found.boxes, other.boxes)
        assert np.array_equal(found.scores, other.scores)


def test_frames_of_another_size_than_the_anchors_are_refused():
    logits, offsets = maps()
    wide = [torch.cat([level, level], -1) for level in logits], [torch.cat([o, o], -1) for o in offsets]
    with pytest.raises(ValueError, match="frames must have its image_size, 128×128"):
        detection().predict(wide, network=NETWORK)
    with pytest.raises(ValueError, match="frames must have its image_size, 128×128"):
        detection().loss(wide, targets_of([]), network=NETWORK)


def test_a_network_that_is_no_detector_is_refused():
    with pytest.raises(ValueError, match="Conv2d is no detector that can be read"):
        detection().targets(references([]), network=nn.Conv2d(3, 3, 1))


def test_the_data_set_decides_on_the_task():
    boxes = {"min_score": 0.1, "max_iou": 0.5, "candidates": 10, "max_detections": 5, "shown_score": 0.2}
    for kind, made in (("imagenet_vid", Detection), ("video", Segmentation)):
        task = tasks.build(DatasetInfo(kind, LAYOUT.image_size, ()), boxes=boxes)
        assert isinstance(task, made)


def frame(box, score, index):
    """One true box of class 0, and one detection of it."""
    found = Detections(np.array([box]), [score], [0])
    return found, Wanted(Objects(np.array([[0, 0, 10, 10]]), [0]), np.array([0.95]), ("a", index))


def test_scores_are_those_of_all_frames_together_whatever_their_order():
    good, bad = frame([0, 0, 10, 10], 0.5, 0), frame([50, 0, 60, 10], 0.9, 1)
    # the surest detection is wrong: of two objects one is found at a precision of one half
    task, expected = detection(), 0.5 * 51 / 101
    for order in ((good, bad), (bad, good)):
        metrics = [DetectionMetric(), DetectionMetric()]
        for metric, one in zip(metrics, order, strict=True):
            metric.update(*one)
        total = metrics[0] + metrics[1]
        assert task.score(total) == pytest.approx(expected)
        scores = task.scores(total)
        assert scores.overall["map50"] == scores.overall["map50_slow"] == pytest.approx(expected)
        assert np.isnan(scores.overall["map50_fast"])
        assert scores.by_class == pytest.approx([expected])


def test_detections_that_are_sure_enough_stand_for_objects_where_there_are_no_labels():
    found = Detections(np.array([[0, 0, 4, 4], [1, 1, 9, 9]]), [0.9, 0.4], [0, 0])
    wanted = detection().as_reference(found, Frame("a", 3, "test", "a.png"))
    assert (wanted.objects.boxes.tolist(), wanted.place) == ([[0, 0, 4, 4]], ("a", 3))
    assert np.isnan(wanted.motion).all()


def test_a_clip_is_kept_as_one_array_of_what_is_shown():
    clip = [Detections(np.array([[0, 0, 4, 4], [1, 1, 9, 9]]), [0.9, 0.4], [1, 0]), Detections()]
    array = detection(2, max_detections=3).as_array(clip)
    assert array.shape == (2, 3, 6)
    assert array[0, 0] == pytest.approx([0, 0, 4, 4, 0.9, 1])
    assert (array[0, 1:, 5] == -1).all()
    assert (array[1, :, 5] == -1).all()


class _Two:
    """Two processes as one of them sees them: the other has counted one frame for each metric."""

    rank, size = 0, 2

    def __init__(self, *others):
        self.others = [DetectionMetric([other]).state() for other in others]

    def all_of(self, mine):
        return [mine, self.others]


def test_processes_share_what_they_have_found():
    task, metrics = detection(), [DetectionMetric(), DetectionMetric()]
    good, bad = frame([0, 0, 10, 10], 0.5, 0), frame([50, 0, 60, 10], 0.9, 1)
    metrics[0].update(*bad)
    add_up(metrics, _Two(good, bad))
    assert task.score(metrics[0]) == pytest.approx(0.5 * 51 / 101)
    assert task.score(metrics[1]) == 0
