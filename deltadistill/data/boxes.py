"""Boxes of one frame, as data sets give them and as networks predict them, and how far two overlap.

A box is (x0, y0, x1, y1) in pixels, x to the right and y down, x1 and y1 exclusive. A class is an index into
the data set's classes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

NO_TRACK = -1
NOTHING = -1  # in the place of an object's number: none is found
PADDING = -1  # in the place of a class, where boxes of several frames make one array: there is no box
UNKNOWN = -2  # the same, in a frame's first row: the frame is not annotated, so nothing is known of it


@dataclass(frozen=True, eq=False)
class Objects:
    """What there is to find in a frame: n objects.

    `boxes` float32 (n, 4), `classes` int64 (n,), `tracks` int64 (n,): the same object of a clip has the same
    number in all its frames, NO_TRACK where that is not known. bool (n,): `occluded`, partly hidden;
    `generated`, its box was interpolated and not drawn by hand; `crowd`, a region of many objects, of which
    metrics take no account. Left out, the last four are all NO_TRACK or False.
    """

    boxes: np.ndarray
    classes: np.ndarray
    tracks: np.ndarray = None
    occluded: np.ndarray = None
    generated: np.ndarray = None
    crowd: np.ndarray = None

    def __post_init__(self):
        _put(self, "boxes", _boxes(self.boxes))
        _put(self, "classes", np.asarray(self.classes, np.int64).reshape(-1))
        tracks = np.full(len(self.boxes), NO_TRACK) if self.tracks is None else self.tracks
        _put(self, "tracks", np.asarray(tracks, np.int64).reshape(-1))
        for name in ("occluded", "generated", "crowd"):
            flags = getattr(self, name)
            flags = np.zeros(len(self.boxes), bool) if flags is None else flags
            _put(self, name, np.asarray(flags, bool).reshape(-1))
        _require_equal_lengths(self)

    def __len__(self) -> int:
        return len(self.boxes)

    def with_boxes(self, boxes: np.ndarray) -> Objects:
        """The same objects with other boxes (n, 4)."""
        return Objects(boxes, self.classes, self.tracks, self.occluded, self.generated, self.crowd)

    def chosen(self, which: np.ndarray) -> Objects:
        """Some of the objects: those where `which`, bool (n,), is true, or of these numbers."""
        return Objects(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


@dataclass(frozen=True, eq=False)
class Detections:
    """What a network found in a frame, of n boxes.

    `boxes` float32 (n, 4), `scores` float32 (n,), higher is surer, `classes` int64 (n,).
    """

    boxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    scores: np.ndarray = field(default_factory=lambda: np.zeros(0))
    classes: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self):
        _put(self, "boxes", _boxes(self.boxes))
        _put(self, "scores", np.asarray(self.scores, np.float32).reshape(-1))
        _put(self, "classes", np.asarray(self.classes, np.int64).reshape(-1))
        _require_equal_lengths(self)

    def __len__(self) -> int:
        return len(self.boxes)


def iou_matrix(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (n, 4) and (m, 4): float64 (n, m); 0 where both are empty."""
    first, second = (np.asarray(boxes, np.float64).reshape(-1, 4) for boxes in (first, second))
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    union = area(first)[:, None] + area(second)[None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def match(found: Detections, objects: Objects, *, min_iou: float) -> np.ndarray:
    """The number of the object that each detection finds, int64 (n,); NOTHING where it finds none.

    The surest detection chooses first; it finds the free object of its class that it overlaps most, with an
    IoU of at least `min_iou`, above 0.
    """
    overlap = iou_matrix(found.boxes, objects.boxes)
    overlap[found.classes[:, None] != objects.classes[None]] = 0
    numbers = np.full(len(found), NOTHING)
    for detection in np.argsort(-found.scores, kind="stable") if len(objects) else ():
        best = int(overlap[detection].argmax())
        if overlap[detection, best] >= min_iou:
            numbers[detection] = best
            overlap[:, best] = 0
    return numbers


def area(boxes: np.ndarray) -> np.ndarray:
    """Area of boxes (n, 4) in pixels: (n,)."""
    return (boxes[:, 2:] - boxes[:, :2]).clip(0).prod(-1)


def _boxes(boxes: np.ndarray) -> np.ndarray:
    boxes = np.asarray(boxes, np.float32)
    if boxes.size and (boxes.ndim != 2 or boxes.shape[1] != 4):
        raise ValueError(f"boxes are (n, 4): x0, y0, x1, y1; got {boxes.shape}")
    return boxes.reshape(-1, 4)


def _require_equal_lengths(record: object) -> None:
    lengths = {name: len(getattr(record, name)) for name in record.__dataclass_fields__}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"as many boxes as everything else are needed, got {lengths}")


def _put(record: object, name: str, value: np.ndarray) -> None:
    object.__setattr__(record, name, value)  # the record is frozen for everyone else
