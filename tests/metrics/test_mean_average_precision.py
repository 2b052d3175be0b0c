import math

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from deltadistill.data.boxes import Detections, Objects
from deltadistill.metrics.mean_average_precision import MeanAveragePrecision

BOX, FAR = [0, 0, 10, 10], [50, 50, 60, 60]


def scored(*frames, classes=1, **options):
    metric = MeanAveragePrecision(classes, **options)
    for found, objects in frames:
        metric.update(found, objects)
    return metric.score()


def test_precision_at_101_recalls_worked_by_hand():
    # Right, wrong, right: recall 1/2 at precision 1 (51 points), recall 1 at precision 2/3 (50 points).
    found = Detections([BOX, [80, 0, 90, 10], FAR], [0.9, 0.8, 0.7], [0, 0, 0])
    score = scored((found, Objects([BOX, FAR], [0, 0])))
    assert score.map50 == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert score.map == pytest.approx(score.map50)  # the right ones are exact, so right at every IoU
    assert score.ap50 == (pytest.approx(score.map50),)


def test_a_loose_box_counts_at_low_ious_only():
    found = Detections([[0, 0, 10, 6.2]], [0.9], [0])  # IoU 0.62: above 0.5, 0.55 and 0.6
    score = scored((found, Objects([BOX], [0])))
    assert (score.map50, score.map) == (pytest.approx(1), pytest.approx(0.3))


def test_means_are_over_the_classes_that_have_an_object():
    found = Detections([BOX, FAR], [0.9, 0.8], [0, 2])
    score = scored((found, Objects([BOX, FAR], [0, 1])), classes=3)
    assert score.ap50[:2] == (pytest.approx(1), 0)
    assert math.isnan(score.ap50[2])
    assert score.map50 == pytest.approx(0.5)


def test_a_second_detection_of_one_object_is_wrong():
    found = Detections([BOX, BOX], [0.9, 0.8], [0, 0])
    twice = scored((found, Objects([BOX, FAR], [0, 0])))
    assert twice.map50 == pytest.approx(51 / 101)  # recall never passes 1/2


def test_crowds_neither_count_nor_make_detections_wrong():
    objects = Objects([BOX, [40, 40, 80, 80]], [0, 0], crowd=[False, True])
    found = Detections([FAR, BOX, FAR], [0.9, 0.8, 0.7], [0, 0, 0])
    assert scored((found, objects)).map50 == pytest.approx(1)


def test_frames_without_detections_and_without_objects_are_scored():
    nothing = Objects([], [])
    assert scored((Detections(), Objects([BOX], [0]))).map50 == 0
    assert math.isnan(scored((Detections([BOX], [0.9], [0]), nothing)).map50)
    empty = scored(classes=2)
    assert math.isnan(empty.map)
    assert len(empty.ap) == 2
    # A detection in a frame without objects is wrong, and surer than the right one: precision 1/2 throughout.
    frames = (Detections([BOX], [0.9], [0]), nothing), (Detections([BOX], [0.8], [0]), Objects([BOX], [0]))
    assert scored(*frames).map50 == pytest.approx(0.5)


def test_only_the_surest_detections_are_looked_at():
    found = Detections([FAR, BOX], [0.9, 0.8], [0, 0])
    assert scored((found, Objects([BOX], [0])), max_detections=1).map50 == 0


def test_scores_per_speed_look_for_objects_of_that_speed_only():
    metric = MeanAveragePrecision(1)
    objects = Objects([BOX, FAR, [80, 80, 90, 90]], [0, 0, 0])
    found = Detections([BOX, [80, 80, 90, 90], [0, 80, 10, 90]], [0.9, 0.8, 0.7], [0, 0, 0])
    metric.update(found, objects, motion=[0.95, 0.5, np.nan])
    scores = metric.score_per_speed()
    assert scores["slow"].map50 == pytest.approx(1)  # the wrong one is the least sure
    assert scores["fast"].map50 == 0  # BOX is detected, but is not fast
    assert math.isnan(scores["medium"].map50)
    # Found, but less surely than what is not there: precision 1/2.
    metric = MeanAveragePrecision(1)
    metric.update(Detections([[0, 80, 10, 90], FAR], [0.9, 0.8], [0, 0]), objects, motion=[0.95, 0.5, np.nan])
    assert metric.score_per_speed()["fast"].map50 == pytest.approx(0.5)


def test_a_wrong_detection_counts_at_the_speed_of_what_it_overlaps_most():
    metric = MeanAveragePrecision(1)
    shifted = [56, 50, 66, 60]  # IoU 4/16 with FAR, which is fast
    metric.update(
        Detections([shifted, BOX], [0.9, 0.8], [0, 0]), Objects([BOX, FAR], [0, 0]), motion=[0.95, 0.5]
    )
    scores = metric.score_per_speed()
    assert scores["slow"].map50 == pytest.approx(1)
    assert scores["fast"].map50 == 0
    # The object of another class that it overlaps counts as well: a fast one, so slow is not touched.
    metric = MeanAveragePrecision(2)
    metric.update(
        Detections([shifted, BOX], [0.9, 0.8], [0, 0]), Objects([BOX, FAR], [0, 1]), motion=[0.95, 0.5]
    )
    assert metric.score_per_speed()["slow"].map50 == pytest.approx(1)
    assert metric.score().map50 == pytest.approx((0.5 + 0) / 2)


def test_every_object_of_one_speed_scores_as_all_together():
    metric, draws = MeanAveragePrecision(3), np.random.default_rng(1)
    for found, objects in random_frames(draws, 12):
        metric.update(found, objects, motion=np.full(len(objects), 0.8))
    assert metric.score_per_speed()["medium"] == metric.score()


def random_frames(draws, count):
    """Objects, and detections that are shifted objects and some of nothing."""
    for _ in range(count):
        corners = draws.uniform(0, 60, (draws.integers(0, 6), 2))
        boxes = np.concatenate([corners, corners + draws.uniform(5, 30, corners.shape)], 1)
        classes = draws.integers(0, 3, len(boxes))
        loose = boxes + draws.normal(0, 1.5, boxes.shape)
        other = np.tile(draws.uniform(0, 40, (2, 2)), 2) + np.array([0, 0, 12, 9])
        found = Detections(
            np.concatenate([loose, other]),
            draws.random(len(boxes) + 2),
            np.concatenate([classes, draws.integers(0, 3, 2)]),
        )
        yield found, Objects(boxes, classes, crowd=draws.random(len(boxes)) < 0.1)


def by_hand(frames, classes):
    """pycocotools as its own example runs it: ground truth and a list of results, then its summary."""
    truth, results = [], []
    for number, (found, objects) in enumerate(frames, start=1):
        for box, index, crowd in zip(objects.boxes.tolist(), objects.classes, objects.crowd, strict=True):
            x0, y0, x1, y1 = box
            truth.append(
                {
                    "id": len(truth) + 1, "image_id": number, "category_id": int(index) + 1,
                    "bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0), "iscrowd": int(crowd),
                }
            )  # fmt: skip
        for box, index, score in zip(found.boxes.tolist(), found.classes, found.scores, strict=True):
            x0, y0, x1, y1 = box
            results.append(
                {
                    "image_id": number, "category_id": int(index) + 1,
                    "bbox": [x0, y0, x1 - x0, y1 - y0], "score": float(score),
                }
            )  # fmt: skip
    coco = COCO()
    coco.dataset = {
        "images": [{"id": number + 1} for number in range(len(frames))],
        "categories": [{"id": index + 1} for index in range(classes)],
        "annotations": truth,
    }
    coco.createIndex()
    run = COCOeval(coco, coco.loadRes(results), "bbox")
    run.evaluate()
    run.accumulate()
    run.summarize()
    return run.stats[1], run.stats[0]


@pytest.mark.parametrize("seed", range(4))
def test_scores_are_those_of_pycocotools_run_by_hand(seed, capsys):
    frames = list(random_frames(np.random.default_rng(seed), 30))
    score = scored(*frames, classes=3)
    map50, mean = by_hand(frames, 3)
    assert 0.1 < mean < map50 < 1
    assert score.map50 == pytest.approx(map50, abs=1e-9)
    assert score.map == pytest.approx(mean, abs=1e-9)


def test_nothing_is_printed(capsys):
    scored((Detections([BOX], [0.9], [0]), Objects([BOX], [0])))
    assert capsys.readouterr().out == ""


def test_wrong_input_is_refused():
    metric = MeanAveragePrecision(2)
    with pytest.raises(ValueError, match=r"found hold classes \[2\]; expected 0 to 1"):
        metric.update(Detections([BOX], [0.5], [2]), Objects([], []))
    with pytest.raises(ValueError, match=r"objects hold classes \[0, -1\]; expected 0 to 1"):  # padding
        metric.update(Detections(), Objects([BOX, FAR], [0, -1]))
    with pytest.raises(ValueError, match=r"motion is \(2,\) for 1 objects"):
        metric.update(Detections(), Objects([BOX], [0]), motion=[1, 1])
    with pytest.raises(ValueError, match="both must be at least 1"):
        MeanAveragePrecision(0)


def test_each_class_is_scored_at_an_iou_of_a_half_and_over_all_ten():
    """Boxes that cover 52, 61 and 96 % of their objects are found at 1, 3 and all ten of IoU 0.5 … 0.95."""
    metric = MeanAveragePrecision(3)
    for index, height in enumerate((5.2, 6.1, 9.6)):
        objects = Objects([[0, 0, 10, 10]], [index])
        metric.update(Detections([[0, 0, 10, height]], [0.9], [index]), objects)
    score = metric.score()
    assert score.ap50 == pytest.approx((1, 1, 1))
    assert score.ap == pytest.approx((0.1, 0.3, 1))
    assert score.map50 == pytest.approx(1)
    assert score.map == pytest.approx(1.4 / 3)
