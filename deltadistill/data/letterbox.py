"""Fits pictures of any size into one: scaled as a whole to the largest that fits, filled below and right.

Into (512, 512) this is EfficientDet's input. Into (600, 1000), for pictures wider than high, it is what is
published for Faster R-CNN: short side 600, long side at most 1000.
"""

from dataclasses import dataclass

import cv2
import numpy as np

FILL = (124, 116, 104)  # RGB, the mean of ImageNet: about 0 once normalised


@dataclass(frozen=True)
class Letterbox:
    """From pictures of size `source` into `out`, both (height, width) in pixels."""

    source: tuple[int, int]
    out: tuple[int, int]

    @property
    def inner(self) -> tuple[int, int]:
        """(height, width) that the picture takes, from the top left corner."""
        scale = min(self.out[0] / self.source[0], self.out[1] / self.source[1])
        return tuple(max(1, min(o, round(s * scale))) for s, o in zip(self.source, self.out, strict=True))

    def image(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 RGB (H, W, 3) of the source's size → (h, w, 3) of `out`'s."""
        if pixels.shape[:2] != self.source:
            raise ValueError(f"a picture of {pixels.shape[:2]} was given, expected {self.source}")
        if self.inner != self.source:
            shrinks = self.inner[0] < self.source[0]
            way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            pixels = cv2.resize(pixels, self.inner[::-1], interpolation=way)
        if self.inner == self.out:
            return pixels
        canvas = np.full((*self.out, 3), FILL, np.uint8)
        canvas[: self.inner[0], : self.inner[1]] = pixels
        return canvas

    def boxes(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes (n, 4) of the source's pixels in `out`'s: float32 (n, 4)."""
        down, across = (inner / full for inner, full in zip(self.inner, self.source, strict=True))
        factors = np.array([across, down, across, down], np.float32)
        return (np.asarray(boxes, np.float32) * factors).astype(np.float32)
