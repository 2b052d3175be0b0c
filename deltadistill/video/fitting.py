"""Pictures of any size as a network's frames, and where these lie in the picture they come from.

A frame is stretched, scaled as a whole and filled up below and right ("letterbox"), or the largest centred
window of its shape ("crop").
"""

import cv2
import numpy as np

from deltadistill.data.letterbox import Letterbox

FITS = ("stretch", "letterbox", "crop")
Window = tuple[float, float, float, float]
"""(left, top, right, bottom) of a frame in the pixels of its picture, beyond which a letterbox reaches."""


def fitted(pixels: np.ndarray, size: tuple[int, int], fit: str) -> np.ndarray:
    """A picture uint8 (H, W, 3) as a frame uint8 (h, w, 3) of `size` (height, width), contiguous."""
    if fit == "letterbox":
        return Letterbox(pixels.shape[:2], size).image(pixels)
    left, top, right, bottom = map(int, window(pixels.shape[:2], size, fit))
    return scaled(pixels[top:bottom, left:right], size)


def window(source: tuple[int, int], size: tuple[int, int], fit: str) -> Window:
    """Where a frame of `size` lies in a picture of size `source`, both (height, width) in pixels.

    Raises ValueError for a fit that is unknown.
    """
    if fit not in FITS:
        raise ValueError(f"fit {fit!r} is unknown; allowed: {', '.join(FITS)}")
    height, width = source
    if fit == "stretch":
        return 0.0, 0.0, float(width), float(height)
    if fit == "letterbox":
        inner = Letterbox(source, size).inner
        return 0.0, 0.0, width * size[1] / inner[1], height * size[0] / inner[0]
    scale = min(height / size[0], width / size[1])
    tall, wide = min(height, max(1, round(size[0] * scale))), min(width, max(1, round(size[1] * scale)))
    left, top = (width - wide) // 2, (height - tall) // 2
    return float(left), float(top), float(left + wide), float(top + tall)


def scaled(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture (H, W, …) at `size` (height, width): by areas where it shrinks, else between neighbours."""
    if pixels.shape[:2] == size:
        return np.ascontiguousarray(pixels)
    way = cv2.INTER_AREA if size[0] < pixels.shape[0] else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(pixels), size[::-1], interpolation=way)


def placed(frame: np.ndarray, source: tuple[int, int], where: Window) -> np.ndarray:
    """A map over a network's frame (h, w) put where it lies in the picture: (H, W), nearest; 0 outside.

    source: (height, width) of the picture.
    """
    left, top, right, bottom = where
    tall, wide = max(1, round(bottom - top)), max(1, round(right - left))
    full = cv2.resize(frame, (wide, tall), interpolation=cv2.INTER_NEAREST)
    canvas = np.zeros(source, frame.dtype)
    y, x = round(top), round(left)
    part = full[: source[0] - y, : source[1] - x]
    canvas[y : y + part.shape[0], x : x + part.shape[1]] = part
    return canvas
