"""One grain of noise for every surface: each reads it at its own place and scale."""

from functools import lru_cache

import numpy as np

from deltadistill.preparation.street.draws import Draws

SIDE = 512
_OFFSET = 1024.0  # keeps coordinates positive, so that truncation is floor
_OCTAVES = ((16, 0.45), (64, 0.35), (128, 0.3), (256, 0.2))  # cells along a side, amplitude


def _smooth(grid: np.ndarray) -> np.ndarray:
    """Periodic linear interpolation of a square grid (n, n) to (SIDE, SIDE)."""
    for axis in (0, 1):
        repeat = SIDE // grid.shape[axis]
        shape = [1, 1]
        shape[axis] = SIDE
        fraction = (np.arange(SIDE, dtype=np.float32) % repeat / np.float32(repeat)).reshape(shape)
        here = np.repeat(grid, repeat, axis)
        there = np.repeat(np.roll(grid, -1, axis), repeat, axis)
        grid = here + (there - here) * fraction
    return grid


@lru_cache(maxsize=1)
def grain() -> np.ndarray:
    """The noise, float32 (SIDE·SIDE,), periodic, mean near 0, mostly in −1..1."""
    draws = Draws(20200714)  # any fixed number
    total = np.zeros((SIDE, SIDE), np.float32)
    for cells, amplitude in _OCTAVES:
        total += np.float32(amplitude) * _smooth(draws.bell((cells, cells)))
    return np.clip(total, -1.5, 1.5).ravel()


def sample(a: np.ndarray, b: np.ndarray, per_metre: float) -> np.ndarray:
    """Nearest grain at coordinates (a, b) in metres, broadcast together; |a|, |b| at most 1000."""
    row = ((a + _OFFSET) * per_metre).astype(np.int32) & (SIDE - 1)
    column = ((b + _OFFSET) * per_metre).astype(np.int32) & (SIDE - 1)
    return grain().take(row * SIDE + column, mode="clip")  # always inside; clip skips the check
