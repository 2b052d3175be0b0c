"""Turns frames as the display matrix of a video says, which phones write instead of turning the pixels.

The matrix has nine numbers a b u, c d v, x y w: a stored point (x, y) is shown at (a x + c y, b x + d y).
"""

import av
import numpy as np

_MATRIX = "DISPLAYMATRIX"


def as_shown(frame: av.VideoFrame, pixels: np.ndarray) -> np.ndarray:
    """The pixels (H, W, 3) of a decoded frame, turned and mirrored as players show them; a view.

    Height and width change places under a quarter turn. An angle between counts as the nearest quarter turn.
    """
    found = frame.side_data.get(_MATRIX)
    if found is None:
        return pixels
    matrix = np.frombuffer(bytes(found), np.int32, count=9).astype(np.int64)
    return turned(pixels, tuple(int(matrix[place]) for place in (0, 1, 3, 4)))


def turned(pixels: np.ndarray, matrix: tuple[int, int, int, int]) -> np.ndarray:
    """Pixels (H, W, …) under the matrix (a, b, c, d): (x, y) goes to (a x + c y, b x + d y), y downwards."""
    a, b, c, d = matrix
    if abs(b) + abs(c) > abs(a) + abs(d):  # x and y change places
        pixels, a, d = pixels.swapaxes(0, 1), c, b
    return pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
