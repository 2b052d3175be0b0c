"""Mean average precision of detections by pycocotools: over all, per class and speed of motion.

Average precision is COCO's: precision at 101 recalls, at most `max_detections` per frame and class, an object
marked as crowd neither counts nor makes a detection wrong. ImageNet VID's own evaluator differs in two
points: it integrates precision over every recall, and asks of a small box for less than an IoU of 0.5.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from deltadistill.data.boxes import Detections, Objects, area, iou_matrix
from deltadistill.metrics.motion_speed import SPEEDS, is_of_speed

_IOUS = np.linspace(0.5, 0.95, 10)
_WANTED, _OTHER = 1.0, 0.0  # stand for a box's area where only some objects are wanted


@dataclass(frozen=True)
class AveragePrecision:
    """Values 0 to 1, NaN where there was no object to find.

    `map50` at IoU 0.5; `map` the mean over IoU 0.5, 0.55 … 0.95; `ap50` and `ap` the same per class, in order
    of the classes. The means are over the classes that had an object.
    """

    map50: float
    map: float
    ap50: tuple[float, ...] = field(repr=False)
    ap: tuple[float, ...] = field(repr=False)


@dataclass
class _Frame:
    found: Detections
    objects: Objects
    motion: np.ndarray


Wanted = Callable[[_Frame], np.ndarray]  # bool (n,): the objects that are to be found


class MeanAveragePrecision:
    """Collects the detections of frames and scores them all together."""

    def __init__(self, classes: int, *, max_detections: int = 100) -> None:
        if classes < 1 or max_detections < 1:
            raise ValueError(f"classes {classes}, max_detections {max_detections}: both must be at least 1")
        self.classes, self.max_detections = classes, max_detections
        self._frames: list[_Frame] = []

    def update(self, found: Detections, objects: Objects, *, motion: np.ndarray | None = None) -> None:
        """Add one frame: what was found, what there is, both in the same pixels.

        `motion` is the objects' motion IoU (n,), see motion_speed.py, which only the scores by speed need.
        """
        for name, labels in (("found", found.classes), ("objects", objects.classes)):
            if len(labels) and not (labels.min() >= 0 and labels.max() < self.classes):
                raise ValueError(f"{name} hold classes {labels.tolist()}; expected 0 to {self.classes - 1}")
        motion = np.full(len(objects), np.nan) if motion is None else np.asarray(motion, np.float64)
        if motion.shape != (len(objects),):
            raise ValueError(f"motion is {motion.shape} for {len(objects)} objects")
        self._frames.append(_Frame(found, objects, motion))

    def score(self) -> AveragePrecision:
        """Over all frames."""
        return self._score()

    def score_per_speed(self) -> dict[str, AveragePrecision]:
        """Speed of SPEEDS → score where only objects of that speed are to be found.

        An object of another speed, or of unknown speed, neither counts nor makes a detection of it wrong. A
        wrong detection counts at the speed of the object that it overlaps most, of whatever class; one that
        overlaps none at every speed (FGFA's script shares these out by the speeds of the frame's objects).
        """
        return {speed: self._score(lambda frame, s=speed: is_of_speed(frame.motion, s)) for speed in SPEEDS}

    def _score(self, wanted: Wanted | None = None) -> AveragePrecision:
        """Class by class, so that memory holds the evaluator's records of one class only."""
        per_class = [self._precisions(index, wanted) for index in range(self.classes)]
        of_class = np.stack(per_class, 1)  # (IoUs, classes)
        return AveragePrecision(
            map50=_mean(of_class[0]),
            map=_mean(of_class),
            ap50=tuple(of_class[0].tolist()),
            ap=tuple(of_class.mean(0).tolist()),
        )

    def _precisions(self, index: int, wanted: Wanted | None) -> np.ndarray:
        """Average precision of a class at each IoU, (10,); NaN where there is no object of it."""
        numbered = list(enumerate(self._frames, 1))
        truth = [entry for n, frame in numbered for entry in _truth(n, frame, index, wanted)]
        found = [entry for n, frame in numbered for entry in _found(n, frame, index, wanted)]
        if not truth:
            return np.full(len(_IOUS), np.nan)
        images = sorted({entry["image_id"] for entry in truth + found})
        with contextlib.redirect_stdout(io.StringIO()):  # it reports its progress
            run = COCOeval(_to_coco(images, truth), _to_coco(images, found), "bbox")
            run.params.iouThrs, run.params.maxDets = _IOUS, [self.max_detections]
            run.params.areaRng = [[_WANTED, _WANTED]] if wanted else [[0.0, 1e10]]
            run.params.areaRngLbl = ["all"]
            run.evaluate()
            run.accumulate()
        precision = run.eval["precision"][:, :, 0, 0, 0]  # (IoUs, recalls); -1: no object
        return np.where(precision < 0, np.nan, precision).mean(1)


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")


def _to_coco(images: list[int], entries: list[dict]) -> COCO:
    coco = COCO()
    coco.dataset = {
        "images": [{"id": image} for image in images],
        "categories": [{"id": 1}],
        "annotations": [entry | {"id": number} for number, entry in enumerate(entries, start=1)],
    }
    coco.createIndex()
    return coco


def _truth(image: int, frame: _Frame, index: int, wanted: Wanted | None) -> list[dict]:
    """Where only some objects are wanted, the others get an area out of range.

    The evaluator ignores such objects, detections of them, and wrong detections of such an area.
    """
    of_class = frame.objects.classes == index
    boxes = frame.objects.boxes[of_class]
    areas = np.where(wanted(frame)[of_class], _WANTED, _OTHER) if wanted else area(boxes)
    crowd = frame.objects.crowd[of_class].astype(int).tolist()
    return [
        entry | {"iscrowd": flag} for entry, flag in zip(_entries(image, boxes, areas), crowd, strict=True)
    ]


def _found(image: int, frame: _Frame, index: int, wanted: Wanted | None) -> list[dict]:
    of_class = frame.found.classes == index
    boxes, scores = frame.found.boxes[of_class], frame.found.scores[of_class].tolist()
    areas = np.where(_concerns(boxes, frame, wanted), _WANTED, _OTHER) if wanted else area(boxes)
    return [
        entry | {"score": score, "iscrowd": 0}
        for entry, score in zip(_entries(image, boxes, areas), scores, strict=True)
    ]


def _concerns(boxes: np.ndarray, frame: _Frame, wanted: Wanted) -> np.ndarray:
    """bool (n,): which detections are of a wanted object, or of none at all, should they prove wrong."""
    if not len(frame.objects):
        return np.ones(len(boxes), bool)
    overlap = iou_matrix(boxes, frame.objects.boxes)
    return wanted(frame)[overlap.argmax(1)] | (overlap.max(1) == 0)


def _entries(image: int, boxes: np.ndarray, areas: np.ndarray) -> list[dict]:
    boxes = boxes.astype(np.float64)
    xywh = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1).tolist()
    return [
        {"image_id": image, "category_id": 1, "bbox": box, "area": size}
        for box, size in zip(xywh, areas.tolist(), strict=True)
    ]
