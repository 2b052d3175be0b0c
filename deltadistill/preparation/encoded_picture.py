"""Writes a picture by OpenCV's encoders; its own writer passes over a full disk, or does not name it."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np


def write_picture(path: Path, pixels: np.ndarray, options: Sequence[int] = ()) -> None:
    """Write uint8 RGB (H, W, 3) in the format of the path's suffix; `options` are OpenCV's flags and values.

    Missing folders are made. Raises OSError, with its number, where the file cannot be written.
    """
    _, data = cv2.imencode(path.suffix, pixels[..., ::-1], list(options))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
