"""Average precision of boxes at an IoU of 0.5: the area below precision over recall, over many frames."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from deltadistill.data.boxes import Detections, Objects, match

Hits = tuple[np.ndarray, np.ndarray, int]
"""Of a frame: scores of its boxes, whether each is right, and how many there are to find."""


def hits(boxes: np.ndarray, labels: np.ndarray, found: Mapping[str, Any]) -> Hits:
    """Boxes (n, 4) with labels (n,) that are to be found, and what a decoder found."""
    there = np.asarray(found["boxes"], np.float32).reshape(-1, 4)
    scores = np.asarray(found.get("scores", np.ones(len(there))), np.float32)
    classes = np.asarray(found.get("labels", np.zeros(len(there))))
    numbers = match(Detections(there, scores, classes), Objects(boxes, labels), min_iou=0.5)
    return scores, numbers >= 0, len(boxes)


def average_precision(frames: Sequence[Hits]) -> float:
    """Precision at every recall, made to fall, and summed; 1 where there was nothing to find or found."""
    scores = np.concatenate([frame[0] for frame in frames])
    right = np.concatenate([frame[1] for frame in frames])[np.argsort(-scores, kind="stable")]
    there = sum(frame[2] for frame in frames)
    if not there:
        return float(not len(scores))
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(precision[right].sum() / there)
