"""Colours of classes: the same for a class in every video, and far apart for neighbours in number."""

import colorsys
from functools import cache

import numpy as np

_TURN = 0.61803398875  # golden ratio: hues of successive classes never come close


@cache
def colour(label: int) -> tuple[int, int, int]:
    """RGB of a class, 0 to 255."""
    hue = (0.07 + label * _TURN) % 1
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85 if label % 2 else 0.6, 1.0 if label % 3 else 0.8)
    return round(255 * red), round(255 * green), round(255 * blue)


@cache
def colours(count: int) -> np.ndarray:
    """RGB of the classes 0 to count − 1: uint8 (count, 3)."""
    return np.array([colour(label) for label in range(count)], np.uint8)
