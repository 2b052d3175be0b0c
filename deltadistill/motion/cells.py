"""Which places of a map a flow moves, and between which four others each is read; numpy alone.

What `motion.warp.Warp` says of tensors, for maps that lie in an engine's memory: its numbers up to rounding.
Where the flow is 0 a place stays, and nothing has to be read or written there.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

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
        total, *others = (
            memory.take(places, axis=1) * weights[:, None]
            for places, weights in zip(self.corners[:, part], self.weights[:, part], strict=True)
        )
        for each in others:
            total += each
        return total


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
        """Sums of the flow over the rows above each; double, so that sums of zeros differ by nothing."""
        return _sums(self.flow.astype(np.float64), 0)

    def _cells(self, height: int, width: int) -> Cells | None:
        flow = self._at_size(height, width) * np.array([width, height]) / self.flow.shape[1::-1]
        rows, columns = np.nonzero((flow != 0).any(-1) & (np.hypot(*flow.transpose(2, 0, 1)) >= self._least))
        if not len(rows):
            return None
        across, down = flow[rows, columns].T
        left, right, at_right = _between(columns + across, width)
        above, below, at_below = _between(rows + down, height)
        corners = [row * width + column for row in (above, below) for column in (left, right)]
        weights = [v * h for v in (1 - at_below, at_below) for h in (1 - at_right, at_right)]
        return Cells(rows * width + columns, np.stack(corners), np.stack(weights).astype(np.float32))

    def _at_size(self, height: int, width: int) -> np.ndarray:
        """The flow for a map of this size, (height, width, 2); as torch's adaptive mean and interpolation."""
        rows, columns = self.flow.shape[:2]
        if (rows, columns) == (height, width):
            return self.flow
        if height <= rows and width <= columns:
            return _means(_sums(_means(self._summed, height, 0), 1), width, 1)
        return _interpolated(_interpolated(self.flow, height, 0), width, 1)


def _between(positions: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The places before and behind positions from 0 to count − 1, and how far on the way each is."""
    positions = positions.clip(0, count - 1)
    before = np.floor(positions).astype(np.intp)
    return before, np.minimum(before + 1, count - 1), positions - before


def _sums(values: np.ndarray, axis: int) -> np.ndarray:
    """Sums of what lies before each place and behind the last: one longer along the axis."""
    nothing = np.zeros_like(values.take([0], axis))
    return np.concatenate([nothing, values.cumsum(axis)], axis)


def _means(sums: np.ndarray, count: int, axis: int) -> np.ndarray:
    """Means over `count` parts, which overlap where they are no whole numbers of places, from `_sums`."""
    length, parts = sums.shape[axis] - 1, np.arange(count)
    begin, end = parts * length // count, -(-(parts + 1) * length // count)
    shape = [1] * sums.ndim
    shape[axis] = count
    return (sums.take(end, axis) - sums.take(begin, axis)) / (end - begin).reshape(shape)


def _interpolated(values: np.ndarray, count: int, axis: int) -> np.ndarray:
    """Linear along an axis, at the middles of `count` parts."""
    length = values.shape[axis]
    positions = ((np.arange(count) + 0.5) * length / count - 0.5).clip(0)
    before, behind, share = _between(positions, length)
    shape = [1] * values.ndim
    shape[axis] = count
    share = share.reshape(shape)
    return values.take(before, axis) * (1 - share) + values.take(behind, axis) * share
