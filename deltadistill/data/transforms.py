"""Random crop, scale and flip, the same for all frames of a clip."""

from dataclasses import dataclass

import cv2
import numpy as np

from deltadistill.data.label_table import IGNORE


@dataclass(frozen=True)
class Augment:
    """What may be done to a clip: `scale` (low, high), then `crop` (height, width) in pixels; `flip`."""

    crop: tuple[int, int]
    scale: tuple[float, float] = (1.0, 1.0)
    flip: bool = False

    def __post_init__(self):
        if min(self.crop) < 1:
            raise ValueError(f"crop {self.crop} must be at least 1×1")
        if not 0 < self.scale[0] <= self.scale[1]:
            raise ValueError(f"scale {self.scale} must be two rising numbers above 0")


@dataclass(frozen=True)
class View:
    """A draw of an Augment: a window of the source (may reach outside), resized to `out`, maybe mirrored."""

    top: int
    left: int
    height: int
    width: int
    out: tuple[int, int]
    mirrored: bool

    def image(self, source: np.ndarray) -> np.ndarray:
        """uint8 (H, W, 3) → (h, w, 3); outside is black."""
        window = self._cut(source, 0)
        if window.shape[:2] != self.out:
            shrinks = self.height > self.out[0]
            way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            window = cv2.resize(window, self.out[::-1], interpolation=way)
        return window[:, ::-1] if self.mirrored else window

    def label(self, source: np.ndarray) -> np.ndarray:
        """uint8 (H, W) → (h, w), nearest; outside is ignored."""
        window = self._cut(source, IGNORE)
        if window.shape != self.out:
            window = cv2.resize(window, self.out[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
        return window[:, ::-1] if self.mirrored else window

    def _cut(self, source: np.ndarray, fill: int) -> np.ndarray:
        height, width = source.shape[:2]
        top, left = max(self.top, 0), max(self.left, 0)
        bottom, right = min(self.top + self.height, height), min(self.left + self.width, width)
        inside = source[top:bottom, left:right]
        if inside.shape[:2] == (self.height, self.width):
            return inside
        window = np.full((self.height, self.width, *source.shape[2:]), fill, np.uint8)
        window[top - self.top : bottom - self.top, left - self.left : right - self.left] = inside
        return window


def draw_view(augment: Augment, size: tuple[int, int], draws: np.random.Generator) -> View:
    """A random view of frames of `size` (height, width).

    A window is drawn inside the frame where it fits; a smaller frame is placed anywhere inside the window.
    """
    low, high = augment.scale
    scale = low + (high - low) * draws.random()
    height, width = (max(1, round(extent / scale)) for extent in augment.crop)
    top, left = (_place(full - part, draws) for full, part in zip(size, (height, width), strict=True))
    mirrored = augment.flip and bool(draws.integers(2))
    return View(top, left, height, width, augment.crop, mirrored)


def _place(room: int, draws: np.random.Generator) -> int:
    """An offset in 0..room, or room..0 where the room is negative."""
    return int(draws.integers(min(room, 0), max(room, 0) + 1))
