"""The measures of DAVIS 2016 (Perazzi et al., CVPR 2016): region similarity J, contour accuracy F.

Of a video each is given as mean, recall and decay. Definitions are those of the public evaluation; its
indices of 8 bits, which wrap in videos of more than 256 frames, are not kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

TOLERANCE = 0.008
"""How far apart two contours may run, in diagonals of the picture."""
_GOOD = 0.5  # a frame above it is recalled
_QUARTERS = 4


@dataclass(frozen=True)
class Statistics:
    """Of one measure over the frames of a video, or the mean over videos.

    mean, recall (the share of frames above 0.5): from 0 to 1. decay: mean of the first quarter less that of
    the last, from −1 to 1; below 0 where it gets better.
    """

    mean: float
    recall: float
    decay: float


def region_similarity(mask: np.ndarray, truth: np.ndarray) -> float:
    """J: intersection over union of two masks (H, W), bool; 1 where both are empty."""
    _require_alike(mask, truth)
    union = (mask | truth).sum()
    return float((mask & truth).sum() / union) if union else 1.0


def contour_accuracy(mask: np.ndarray, truth: np.ndarray, *, tolerance: float = TOLERANCE) -> float:
    """F: the F-measure of the contours of two masks (H, W), bool; 1 where neither has one.

    tolerance: how far from a contour the other's pixels still match it, in diagonals of the picture, rounded
        up to whole pixels.
    """
    _require_alike(mask, truth)
    radius = int(np.ceil(tolerance * np.hypot(*mask.shape)))
    mine, wanted = contour(mask), contour(truth)
    if not mine.any() or not wanted.any():
        return float(mine.any() == wanted.any())
    precision = mine[_grown(wanted, radius)].sum() / mine.sum()
    recall = wanted[_grown(mine, radius)].sum() / wanted.sum()
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def contour(mask: np.ndarray) -> np.ndarray:
    """The contour of a mask (H, W): pixels that differ from the one to the right, below, or both; bool."""
    padded = np.pad(mask.astype(bool), ((0, 1), (0, 1)), mode="edge")
    here, right, below, beyond = padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    return (here != right) | (here != below) | (here != beyond)


def statistics(values: Sequence[float]) -> Statistics:
    """Mean, recall and decay of a measure's values frame by frame; ValueError without any.

    The public evaluation leaves the first frame out, whose mask is given, and the last: hand the others over.
    Quarters share the frames that they meet at.
    """
    if not len(values):
        raise ValueError("no frame has a value; mean, recall and decay of none are not known")
    found = np.asarray(values, dtype=np.float64)
    ends = (np.round(np.linspace(1, len(found), _QUARTERS + 1) + 1e-10) - 1).astype(int)
    first, last = found[ends[0] : ends[1] + 1], found[ends[-2] : ends[-1] + 1]
    return Statistics(float(found.mean()), float((found > _GOOD).mean()), float(first.mean() - last.mean()))


def over_videos(found: Sequence[Statistics]) -> Statistics:
    """The mean over videos, each counted once whatever its length; ValueError without any."""
    if not found:
        raise ValueError("no video has statistics; their mean is not known")
    return Statistics(*np.mean([(each.mean, each.recall, each.decay) for each in found], axis=0).tolist())


def _grown(contour: np.ndarray, radius: int) -> np.ndarray:
    """A contour and all pixels within `radius` of it."""
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    disc = (x**2 + y**2 <= radius**2).astype(np.uint8)
    return cv2.dilate(contour.astype(np.uint8), disc).astype(bool)


def _require_alike(mask: np.ndarray, truth: np.ndarray) -> None:
    if mask.shape != truth.shape or mask.ndim != 2 or mask.dtype != bool or truth.dtype != bool:
        raise ValueError(
            f"expected two masks (H, W) of bool of the same size, got {mask.dtype} {mask.shape} and "
            f"{truth.dtype} {truth.shape}"
        )
