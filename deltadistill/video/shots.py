"""Scene cuts: where a video changes so much from one frame to the next that a new shot begins.

The change between two frames is the mean of two numbers in 0..1, both saturating:

- half the L1 distance of their colour histograms (8 bins per channel), full at 0.5;
- the mean absolute difference of their 32×18 thumbnails (scale 0..1), full at 0.25.

A frame begins a shot where the change exceeds the median of the last 12 changes by more than a threshold. The
median forgives steady fast motion. In a street video with five cuts, cuts reach 0.6 to 1.0, and a bus that
rushes past the lens 0.2; hence 0.5 as default. A slow dissolve is not found.
"""

from collections import deque
from statistics import median

import cv2
import numpy as np

_BINS, _THUMB = 8, (32, 18)
_MEMORY, _ENOUGH = 12, 3  # changes remembered, and how many make a median worth having
_FULL_HISTOGRAM, _FULL_THUMB = 0.5, 0.25


class ShotDetector:
    """Fed with the frames of a video in order; says of each whether a new shot begins with it."""

    def __init__(self, threshold: float = 0.5):
        if not 0 < threshold <= 1:
            raise ValueError(f"the threshold of a scene cut lies in (0, 1], got {threshold}")
        self._threshold = threshold
        self._before: tuple[np.ndarray, np.ndarray] | None = None
        self._changes: deque[float] = deque(maxlen=_MEMORY)

    def begins_shot(self, frame: np.ndarray) -> bool:
        """Whether `frame`, uint8 RGB (H, W, 3), is the first of a shot; the first frame of all is not."""
        now = _signature(frame)
        if self._before is None:
            self._before = now
            return False
        change = _change(self._before, now)
        self._before = now
        usual = median(self._changes) if len(self._changes) >= _ENOUGH else 0.0
        self._changes.append(change)
        return change - usual > self._threshold


def _signature(frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    thumb = cv2.resize(frame, _THUMB, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    bins = (frame >> 5).astype(np.int32)  # 256 / 32 = 8 bins
    index = (bins[..., 0] * _BINS + bins[..., 1]) * _BINS + bins[..., 2]
    histogram = np.bincount(index.ravel(), minlength=_BINS**3) / index.size
    return histogram, thumb


def _change(before: tuple[np.ndarray, np.ndarray], now: tuple[np.ndarray, np.ndarray]) -> float:
    colours = float(abs(now[0] - before[0]).sum()) / 2
    places = float(abs(now[1] - before[1]).mean())
    return (min(1.0, colours / _FULL_HISTOGRAM) + min(1.0, places / _FULL_THUMB)) / 2
