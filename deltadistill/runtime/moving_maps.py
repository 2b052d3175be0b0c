"""Maps moved along with the picture where they lie in an engine's memory, for the time of one delta frame.

Only places that move are read and written, and what was there is put back afterwards: the maps stay those of
the key frame, without a second set of them. Whether channels lie first, last or in blocks is a matter of
views.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from deltadistill.motion.cells import CellMotion

Motions = tuple[CellMotion, ...]
"""One for each frame of a batch; none where nothing moves."""


@dataclass(frozen=True)
class Lying:
    """A map in memory: values (N, outer, height · width, inner), float32, or the bits of bf16 as uint16."""

    values: np.ndarray
    height: int
    width: int


@contextmanager
def moved(maps: Iterable[Lying], motions: Sequence[CellMotion]) -> Iterator[None]:
    """Inside, every map lies where the motion of its frame takes it."""
    before: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    try:
        for lying in maps:
            for memory, motion in zip(lying.values, motions, strict=True):
                if (cells := motion.at(lying.height, lying.width)) is None:
                    continue
                values = cells.read(_widened(memory))
                before.append((memory, cells.places, memory[:, cells.places]))
                memory[:, cells.places] = _as(memory, values)
        yield
    finally:
        for memory, places, values in before:
            memory[:, places] = values


def channels_first(array: np.ndarray, *, block: int = 1) -> Lying:
    """An array (N, C, h, w), or one of this shape whose channels lie in blocks of so many."""
    count, channels, height, width = array.shape
    return Lying(array.reshape(count, channels // block, height * width, block), height, width)


def channels_last(array: np.ndarray) -> Lying:
    """An array (N, h, w, C)."""
    count, height, width, channels = array.shape
    return Lying(array.reshape(count, 1, height * width, channels), height, width)


def everything_moves(count: int, height: int, width: int) -> Motions:
    """Motion of so many frames in which no place of any map stays: the most that moving can take."""
    flow = np.full((height, width, 2), height / 3, np.float32)
    return (CellMotion(flow),) * count


def _widened(memory: np.ndarray) -> np.ndarray:
    """As float32: bf16 is its upper half."""
    if memory.dtype == np.float32:
        return memory
    return (memory.astype(np.uint32) << 16).view(np.float32)


def _as(memory: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values as memory has them; bf16 is rounded to the nearest, of two to the even one."""
    if memory.dtype == np.float32:
        return values
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)
