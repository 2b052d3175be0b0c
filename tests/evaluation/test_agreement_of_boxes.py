import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from deltadistill.data.boxes import NO_TRACK, Detections, Objects
from deltadistill.data.manifest import Frame
from deltadistill.evaluation import agreement
from deltadistill.evaluation.agreement_of_boxes import BoxConsistency, carry


def frame(found, true, *, scores=None, tracks=None, classes=None):
    """Detections and objects of one frame, of class 0 with tracks 0, 1, … unless told otherwise."""
    objects = Objects(true, [0] * len(true), tracks or range(len(true)))
    return Detections(found, scores or [0.9] * len(found), classes or [0] * len(found)), objects


def measured(*pairs):
    metric = BoxConsistency(min_score=0.5)
    for before, now in pairs:
        metric.update(before, now)
    return metric


def test_a_detection_that_moves_with_its_object_agrees_whatever_its_offset():
    before = frame([[1, 1, 11, 11]], [[0, 0, 10, 10]])
    now = frame([[22, 2, 42, 22]], [[20, 0, 40, 20]])  # twice as large, further right: so is the detection
    metric = measured((before, now))
    assert metric.percent() == pytest.approx(100)
    assert metric.coverage_percent() == 100


def test_a_repeated_detection_agrees_as_far_as_the_object_stands_still():
    still = frame([[0, 0, 10, 10]], [[0, 0, 10, 10]])
    moved = frame([[0, 0, 10, 10]], [[2, 0, 12, 10]])
    assert measured((still, still)).percent() == pytest.approx(100)
    assert measured((still, moved)).percent() == pytest.approx(100 * 80 / 120)


def test_flicker_is_disagreement_and_nothing_found_does_not_count():
    there = frame([[0, 0, 10, 10]], [[0, 0, 10, 10]])
    lost = frame([], [[0, 0, 10, 10]])
    metric = measured((there, there), (there, lost), (lost, there), (lost, lost))
    assert metric.percent() == pytest.approx(100 / 3)
    assert metric.coverage_percent() == 75


def test_only_tracks_of_both_frames_are_pairs():
    before = frame([[0, 0, 10, 10]], [[0, 0, 10, 10]], tracks=[4])
    other = frame([[0, 0, 10, 10]], [[0, 0, 10, 10]], tracks=[5])
    unknown = frame([[0, 0, 10, 10]], [[0, 0, 10, 10]], tracks=[NO_TRACK])
    metric = measured((before, other), (unknown, unknown))
    assert math.isnan(metric.percent())
    assert math.isnan(metric.coverage_percent())


def test_unsure_loose_and_otherwise_classified_boxes_detect_nothing():
    true = [[0, 0, 10, 10]]
    for found in (
        frame([[0, 0, 10, 10]], true, scores=[0.4]),
        frame([[0, 0, 10, 4.9]], true),
        frame([[0, 0, 10, 10]], true, classes=[1]),
    ):
        assert measured((found, found)).coverage_percent() == 0


def test_the_surest_detection_is_taken_and_each_belongs_to_one_object():
    true = [[0, 0, 10, 10], [2, 0, 12, 10]]
    before = frame([[0, 0, 10, 10], [2, 0, 12, 10], [1, 0, 11, 10]], true, scores=[0.9, 0.8, 0.7])
    assert measured((before, before)).percent() == pytest.approx(100)
    one = frame([[0, 0, 10, 10]], true)
    metric = measured((one, one))
    assert (metric.percent(), metric.coverage_percent()) == (pytest.approx(100), 50)


def test_carrying_is_worked_by_hand():
    moved = carry(np.array([2.0, 1, 6, 3]), np.array([0.0, 0, 4, 4]), np.array([10.0, 0, 18, 4]))
    assert moved.tolist() == [14, 1, 22, 3]


def test_detections_are_carried_along_tracks_where_both_frames_are_annotated():
    true = {0: [0, 0, 10, 10], 1: [2, 0, 12, 10], 2: [4, 0, 14, 10]}
    store = SimpleNamespace(
        is_annotated=lambda frame: frame.index != 3,
        boxes=lambda frame: Objects([true[frame.index]], [0], [7]),
    )
    frames = [Frame("a", n, "test", Path("a.png")) for n in range(4)]
    pairs = [(frames[0], frames[1]), (frames[2], frames[3]), (frames[3], frames[1]), (frames[1], frames[2])]
    along = agreement.TrackAgreement(store, min_score=0.5)
    still = Detections([[0, 0, 10, 10]], [0.9], [0])
    moving = [Detections([box], [0.9], [0]) for box in ([0, 0, 10, 10], *[[2, 0, 12, 10]] * 3)]
    meter = along.meter()
    ((way, count),) = along.between(pairs)
    assert way == ("tracks", "all")
    count(meter, moving, [moving[1], still, still, Detections([[4, 0, 14, 10]], [0.9], [0])])
    assert meter.percent() == pytest.approx(100)  # the two in the middle do not count
    count(meter, [still] * 4, [still] * 4)
    assert meter.percent() < 99
    unsure = Detections([[0, 0, 10, 10]], [0.4], [0])
    meter = along.meter()
    count(meter, [unsure] * 4, [unsure] * 4)
    assert math.isnan(meter.percent())
