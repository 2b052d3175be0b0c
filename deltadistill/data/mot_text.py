"""MOT text, a line a box: frame, track, left, top, width, height, whether it counts, …; frames from 1."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from deltadistill.files.text import read_text

_LEAST = 6
_MOST_BYTES = 2**28
_REMEDY = "expected MOT text, lines of frame,track,left,top,width,height,…"


class MotBox(NamedTuple):
    """A box, left, top, right, bottom in pixels of the picture, of a track.

    counts: False where the line's seventh number is 0: what is there is not to be taken into account.
    """

    track: int
    edges: tuple[float, float, float, float]
    counts: bool = True


def read_mot_text(path: Path) -> dict[int, list[MotBox]]:
    """Boxes by the number of the frame, from 0; ValueError with the line for what is no MOT text."""
    found: dict[int, list[MotBox]] = {}
    for number, line in enumerate(read_text(path, most_bytes=_MOST_BYTES, remedy=_REMEDY).splitlines(), 1):
        if line.strip():
            frame, box = _box(path, number, line)
            found.setdefault(frame - 1, []).append(box)
    if not any(box.counts for boxes in found.values() for box in boxes):
        raise ValueError(f"{path} has no box; {_REMEDY}")
    return found


def _box(path: Path, number: int, line: str) -> tuple[int, MotBox]:
    try:
        values = [float(value) for value in line.replace(",", " ").split()]
    except ValueError:
        values = []
    if len(values) < _LEAST or not np.isfinite(values).all() or values[0] < 1:
        raise ValueError(f"{path}, line {number}: {line.strip()[:60]!r}; {_REMEDY}")
    left, top, width, height = values[2:6]
    counts = len(values) == _LEAST or values[6] != 0
    return int(values[0]), MotBox(int(values[1]), (left, top, left + width, top + height), counts)
