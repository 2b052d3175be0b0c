"""DIS flow (Kroeger et al., 2016) as OpenCV has it, and the grey pictures that it compares; without torch."""

from typing import Literal, get_args

import cv2
import numpy as np

Preset = Literal["ultrafast", "fast", "medium"]

LEAST = 16
"""Pixels of the shorter side of a picture that it is estimated on."""


def dis_flow(preset: str) -> cv2.DISOpticalFlow:
    """Make one, of OpenCV's own settings; ValueError for a preset that is not known."""
    if preset not in get_args(Preset):
        raise ValueError(f"DIS preset {preset!r} is unknown; allowed: {', '.join(get_args(Preset))}")
    return cv2.DISOpticalFlow_create(getattr(cv2, f"DISOPTICAL_FLOW_PRESET_{preset.upper()}"))


def reduced(height: int, width: int, longest: int) -> tuple[int, int]:
    """Height and width with no side longer than `longest`, and none shorter than LEAST."""
    scale = min(1.0, longest / max(height, width))
    return max(LEAST, round(height * scale)), max(LEAST, round(width * scale))


def grey(picture: np.ndarray, longest: int) -> np.ndarray:
    """A picture uint8 (H, W, 3), red first, in grey (h, w) of reduced size."""
    height, width = reduced(*picture.shape[:2], longest)
    flat = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return cv2.resize(flat, (width, height), interpolation=cv2.INTER_AREA)
