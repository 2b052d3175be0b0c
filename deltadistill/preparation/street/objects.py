"""Pictures of single things of generated streets, 96×96, in STL-10's binary layout.

A picture is the square around a thing's visible pixels with a margin; others stand beside and before it. Its
class is what the thing in the middle is. Pictures of a split come from streets of its own.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import cv2
import numpy as np

from deltadistill.preparation.stl10 import SIDE, Pictures, write_stl10
from deltadistill.preparation.street.clip import render_clip
from deltadistill.preparation.street.things_seen import Box, ThingSeen
from deltadistill.preparation.workers import spread_out

NAMES = ("car", "person", "pole", "sign", "tree")
_NUMBERS = {"train": 4, "test": 5}  # in a street's key; 0 to 3 are those of detection_dataset.py
_HEIGHT, _WIDTH = 256, 512  # of the streets, pixels
_LONGEST, _SHORTEST, _VISIBLE = 28, 5, 0.4  # a box's sides at least, pixels; the share that is to be seen
_MARGIN = 1.2  # side of the square, in longer sides of the box
_AT_ONCE = 64  # streets

Object = tuple[str, np.ndarray]
"""A thing's kind, and its picture."""


@dataclass(frozen=True)
class Street:
    """The key of a street, and the noise of its picture; picklable, so that any process can draw it."""

    key: tuple[int, int, int]
    noise: float


def write_objects(
    root: Path,
    per_class: Mapping[str, int],
    *,
    seed: int,
    noise: float,
    workers: int,
    progress: Callable[[int], object],
) -> None:
    """Write `per_class[split]` pictures of every class, of "train" and "test", as `write_stl10` does.

    Equal arguments give equal files, whatever `workers` is. `progress` is called with pictures just drawn.
    """
    given = {"seed": seed, "noise": noise, "workers": workers, "progress": progress}
    drawn = {split: _drawn(_NUMBERS[split], wanted, **given) for split, wanted in per_class.items()}
    write_stl10(root, NAMES, drawn)


def _drawn(
    number: int, wanted: int, *, seed: int, noise: float, workers: int, progress: Callable[[int], object]
) -> Pictures:
    """As many pictures of each class, street after street."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in NAMES}
    for objects in _of_streets(number, seed=seed, noise=noise, workers=workers):
        for kind, picture in objects:
            if len(found[kind]) < wanted:
                found[kind].append(picture)
                progress(1)
        if all(len(pictures) == wanted for pictures in found.values()):
            break
    pictures = np.stack([picture for name in NAMES for picture in found[name]])
    return pictures, np.repeat(np.arange(len(NAMES)), wanted)


def _of_streets(number: int, *, seed: int, noise: float, workers: int) -> Iterator[list[Object]]:
    """The things of street after street, without end."""
    for first in count(0, _AT_ONCE):
        streets = [Street((seed, number, first + index), noise) for index in range(_AT_ONCE)]
        yield from spread_out(objects_of, streets, workers=workers)


def objects_of(street: Street) -> list[Object]:
    """Kind and picture of all things of a street that are large and clear enough."""
    (frame,) = render_clip(
        street.key, frames=1, height=_HEIGHT, width=_WIDTH, noise=street.noise, things=True
    )
    return [(thing.kind, _cut(frame.image, thing.box)) for thing in frame.things if _is_clear(thing)]


def _is_clear(thing: ThingSeen) -> bool:
    x0, y0, x1, y1 = thing.box
    sides = x1 - x0, y1 - y0
    return max(sides) >= _LONGEST and min(sides) >= _SHORTEST and thing.visible >= _VISIBLE


def _cut(image: np.ndarray, box: Box) -> np.ndarray:
    """The square around a box, 96×96; beyond the frame its edge is repeated."""
    x0, y0, x1, y1 = box
    side = round(_MARGIN * max(x1 - x0, y1 - y0))
    left, top = (x0 + x1 - side) // 2, (y0 + y1 - side) // 2
    rows, columns = (
        np.arange(start, start + side).clip(0, most - 1)
        for start, most in zip((top, left), image.shape, strict=False)
    )
    square = np.ascontiguousarray(image[np.ix_(rows, columns)])
    how = cv2.INTER_AREA if side > SIDE else cv2.INTER_LINEAR
    return cv2.resize(square, (SIDE, SIDE), interpolation=how)
