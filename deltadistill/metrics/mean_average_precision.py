"""Mean average precision of detections by pycocotools: over all, per class, distance and speed of motion.

Average precision is COCO's: precision at 101 recalls, at most `max_detections` per frame and class, an object
marked as crowd neither counts nor makes a detection wrong. ImageNet VID's own evaluator differs in two
points: it integrates precision over every recall, and asks of a small box for less than an IoU of 0.5.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from deltadistill.boxes import Detections, Objects, area
from deltadistill.metrics.motion_speed import SPEEDS, is_of_speed

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
    distance: int | None
    motion: np.ndarray


class MeanAveragePrecision:
    """Collects the detections of frames and scores them all together."""

    def __init__(self, classes: int, *, max_detections: int = 100) -> None:
        if classes < 1 or max_detections < 1:
            raise ValueError(f"classes {classes}, max_detections {max_detections}: both must be at least 1")
        self.classes, self.max_detections = classes, max_detections
        self._frames: list[_Frame] = []

    def update(
        self,
        found: Detections,
        objects: Objects,
        *,
        distance: int | None = None,
        motion: np.ndarray | None = None,
    ) -> None:
        """Add one frame: what was found, what there is, both in the same pixels.

        `distance` is the number of frames since the key frame; `motion` the objects' motion IoU (n,), see
        motion_speed.py. Both are needed only for the scores that ask for them.
        """
        for name, labels in (("found", found.classes), ("objects", objects.classes)):
            if len(labels) and not (labels.min() >= 0 and labels.max() < self.classes):
                raise ValueError(f"{name} hold classes {labels.tolist()}; expected 0 to {self.classes - 1}")
        motion = np.full(len(objects), np.nan) if motion is None else np.asarray(motion, np.float64)
        if motion.shape != (len(objects),):
            raise ValueError(f"motion is {motion.shape} for {len(objects)} objects")
        self._frames.append(_Frame(found, objects, distance, motion))

    def score(self) -> AveragePrecision:
        """Over all frames."""
        return self._score(self._frames)

    def score_per_distance(self) -> dict[int, AveragePrecision]:
        """Distance → score of the frames at that distance to the key frame, in rising order."""
        distances = sorted({frame.distance for frame in self._frames if frame.distance is not None})
        return {
            distance: self._score([frame for frame in self._frames if frame.distance == distance])
            for distance in distances
        }

    def score_per_speed(self) -> dict[str, AveragePrecision]:
        """Speed of SPEEDS → score where only objects of that speed are to be found.

        An object of another speed, or of unknown speed, neither counts nor makes a detection of it wrong. A
        detection of nothing is wrong at every speed (FGFA's script shares it out between them).
        """
        return {
            speed: self._score(self._frames, wanted=lambda frame, s=speed: is_of_speed(frame.motion, s))
            for speed in SPEEDS
        }

    def __len__(self) -> int:
        return len(self._frames)

    def _score(
        self, frames: Sequence[_Frame], wanted: Callable[[_Frame], np.ndarray] | None = None
    ) -> AveragePrecision:
        if not frames:
            nothing = (float("nan"),) * self.classes
            return AveragePrecision(float("nan"), float("nan"), nothing, nothing)
        truth = _to_coco(self.classes, frames, lambda number: _truth(frames[number], wanted))
        found = _to_coco(self.classes, frames, lambda number: _found(frames[number], wanted))
        with contextlib.redirect_stdout(io.StringIO()):  # it reports its progress
            run = COCOeval(truth, found, "bbox")
            run.params.maxDets = [self.max_detections]
            run.params.areaRng, run.params.areaRngLbl = [[0.0, 1e10]], ["all"]
            if wanted:
                run.params.areaRng = [[_WANTED, _WANTED]]
            run.evaluate()
            run.accumulate()
        precision = run.eval["precision"][..., 0, 0]  # (IoUs, recalls, classes); -1: no object
        of_class = np.where(precision < 0, np.nan, precision).mean(1)  # (IoUs, classes)
        return AveragePrecision(
            map50=_mean(of_class[0]),
            map=_mean(of_class),
            ap50=tuple(of_class[0].tolist()),
            ap=tuple(of_class.mean(0).tolist()),
        )


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")


def _to_coco(classes: int, frames: Sequence[_Frame], entries: Callable[[int], list[dict]]) -> COCO:
    """An index of `entries(number)` of every frame, which are given ids here."""
    annotations = []
    for number in range(len(frames)):
        for entry in entries(number):
            annotations.append(entry | {"image_id": number + 1, "id": len(annotations) + 1})
    coco = COCO()
    coco.dataset = {
        "images": [{"id": number + 1} for number in range(len(frames))],
        "categories": [{"id": index} for index in range(classes)],
        "annotations": annotations,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco


def _truth(frame: _Frame, wanted: Callable[[_Frame], np.ndarray] | None) -> list[dict]:
    """The evaluator ignores objects whose area is out of range: that is how unwanted ones are left out."""
    objects = frame.objects
    areas = area(objects.boxes) if wanted is None else np.where(wanted(frame), _WANTED, _OTHER)
    return [
        {"bbox": box, "category_id": index, "area": size, "iscrowd": int(crowd)}
        for box, index, size, crowd in zip(
            _to_xywh(objects.boxes), objects.classes.tolist(), areas.tolist(), objects.crowd, strict=True
        )
    ]


def _found(frame: _Frame, wanted: Callable[[_Frame], np.ndarray] | None) -> list[dict]:
    found = frame.found
    areas = area(found.boxes) if wanted is None else np.full(len(found), _WANTED)
    return [
        {"bbox": box, "category_id": index, "area": size, "score": score, "iscrowd": 0}
        for box, index, size, score in zip(
            _to_xywh(found.boxes), found.classes.tolist(), areas.tolist(), found.scores.tolist(), strict=True
        )
    ]


def _to_xywh(boxes: np.ndarray) -> list[list[float]]:
    boxes = boxes.astype(np.float64)
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1).tolist()
