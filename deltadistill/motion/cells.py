"""Which places of a map a flow moves, and between which four others each is read.

What `motion.warp.Warp` says of tensors, for maps that lie in an engine's memory: its numbers up to rounding.
Where the flow is 0 a place stays, and nothing has to be read or written there. Without torch; OpenCV, which
flows come from, is not needed to import it.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

_NOTHING = 1e-6  # of a place: differences of sums of zeros are not quite 0
_AT_ONCE = 2**15  # values that are weighted together: they stay in a core's cache


@dataclass(frozen=True)
class Cells:
    """places: (K,) of a map's h · w, those that move. corners: (4, K) places, read with weights (4, K)."""

    places: np.ndarray
    corners: np.ndarray
    weights: np.ndarray

    def read(self, memory: np.ndarray) -> np.ndarray:
        """What the places have after the move: float32 (outer, K, inner) of memory (outer, h · w, inner)."""
        moved = np.empty((len(memory), len(self.places), memory.shape[2]), np.float32)
        step = max(1, _AT_ONCE // (len(memory) * memory.shape[2]))
        for begin in range(0, len(self.places), step):
            part = slice(begin, begin + step)
            moved[:, part] = self._weighted(memory, part)
        return moved

    def _weighted(self, memory: np.ndarray, part: slice) -> np.ndarray:
        total: np.ndarray | None = None
        for places, weights in zip(self.corners[:, part], self.weights[:, part], strict=True):
            values = memory.take(places, axis=1)
            _multiply(values, weights)
            total = values if total is None else np.add(total, values, out=total)
        assert total is not None  # there are four corners
        return total


def _multiply(values: np.ndarray, weights: np.ndarray) -> None:
    """Weigh (outer, K, inner) by (K,) in place; a few values in a row by one weight are slow to multiply."""
    if len(values) == 1:
        values *= weights[:, None]
    else:
        flat = values.reshape(len(values), -1)
        flat *= weights.repeat(values.shape[2])


class CellMotion:
    """One flow, float32 (h, w, 2) across and down in its own pixels: what it does to maps of any resolution.

    Places (i + ½) / size of the picture read where the flow, averaged or interpolated to the map's size,
    leads: bilinear, at borders the nearest. least: of a place's size; what moves by less stays.
    """

    def __init__(self, flow: np.ndarray, *, least: float = 0.0):
        self.flow = flow
        self._least = least
        self._found: dict[tuple[int, int], Cells | None] = {}

    def at(self, height: int, width: int) -> Cells | None:
        """The places that move in a map of this size; None where nothing does. Worked out once a size."""
        if (height, width) not in self._found:
            self._found[height, width] = self._cells(height, width) if self._moves else None
        return self._found[height, width]

    @cached_property
    def _moves(self) -> bool:
        return bool(self.flow.any())

    @cached_property
    def _summed(self) -> np.ndarray:
        """Sums of the flow over all above and to the left of each place, (h + 1, w + 1, 2), double."""
        import cv2

        return cv2.integral(self.flow, sdepth=cv2.CV_64F)

    def _cells(self, height: int, width: int) -> Cells | None:
        flow = self._at_size(height, width) * np.array([width, height]) / self.flow.shape[1::-1]
        lengths = np.einsum("hwc,hwc->hw", flow, flow)
        places = np.flatnonzero(lengths >= max(self._least, _NOTHING) ** 2)
        if not len(places):
            return None
        rows, columns = np.divmod(places, width)
        across, down = flow.reshape(-1, 2)[places].T
        left, right, at_right = _between(columns + across, width)
        above, below, at_below = _between(rows + down, height)
        corners = [row * width + column for row in (above, below) for column in (left, right)]
        weights = [v * h for v in (1 - at_below, at_below) for h in (1 - at_right, at_right)]
        return Cells(places, np.stack(corners), np.stack(weights).astype(np.float32))

    def _at_size(self, height: int, width: int) -> np.ndarray:
        """The flow for a map of this size, (height, width, 2); as torch's adaptive mean and interpolation."""
        rows, columns = self.flow.shape[:2]
        if (rows, columns) == (height, width):
            return self.flow
        if height <= rows and width <= columns:
            return _means(self._summed, height, width)
        return _interpolated(_interpolated(self.flow, height, 0), width, 1)


def _between(positions: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The places before and behind positions from 0 to count − 1, and how far on the way each is."""
    positions = positions.clip(0, count - 1)
    before = np.floor(positions).astype(np.intp)
    return before, np.minimum(before + 1, count - 1), positions - before


def _means(sums: np.ndarray, height: int, width: int) -> np.ndarray:
    """Means over parts of a picture, which overlap where they are no whole pixels, from its sums."""
    (top, bottom), (left, right) = _parts(len(sums) - 1, height), _parts(sums.shape[1] - 1, width)
    rows = sums[bottom] - sums[top]
    areas = (bottom - top)[:, None] * (right - left)
    return (rows[:, right] - rows[:, left]) / areas[..., None]


def _parts(length: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each part of a side begins and ends, pixels."""
    parts = np.arange(count)
    return parts * length // count, -(-(parts + 1) * length // count)


def _interpolated(values: np.ndarray, count: int, axis: int) -> np.ndarray:
    """Linear along an axis, at the middles of `count` parts."""
    length = values.shape[axis]
    positions = ((np.arange(count) + 0.5) * length / count - 0.5).clip(0)
    before, behind, share = _between(positions, length)
    shape = [1] * values.ndim
    shape[axis] = count
    share = share.reshape(shape)
    return values.take(before, axis) * (1 - share) + values.take(behind, axis) * share
