"""Ground truth of MOT text, a line a box: frame, track, left, top, width, height, …; frames from 1."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deltadistill.acceleration.truth import BoxTruth
from deltadistill.files.text import read_text

_PEOPLE = ("person", "pedestrian", "people")
_LEAST = 6
_MOST_BYTES = 2**28
_REMEDY = "expected MOT text, lines of frame,track,left,top,width,height,…"


def read_mot(path: str | Path, categories: Sequence[str] = ()) -> BoxTruth:
    """Read a file; ValueError with the line for what is no MOT text.

    Lines whose seventh number is 0 are not to be taken into account. categories: the network's, by which
    people are told from other things.
    """
    path = Path(path)
    rows: dict[int, list[tuple[float, ...]]] = {}
    for number, line in enumerate(read_text(path, most_bytes=_MOST_BYTES, remedy=_REMEDY).splitlines(), 1):
        if line.strip():
            frame, box = _row(path, number, line)
            if box:
                rows.setdefault(frame - 1, []).append(box)
    if not rows:
        raise ValueError(f"{path} has no box; {_REMEDY}")
    people = tuple(index for index, name in enumerate(categories) if name.lower() in _PEOPLE)
    return BoxTruth(str(path), {frame: np.array(boxes) for frame, boxes in rows.items()}, {}, people)


def _row(path: Path, number: int, line: str) -> tuple[int, tuple[float, ...]]:
    try:
        values = [float(value) for value in line.replace(",", " ").split()]
    except ValueError:
        values = []
    if len(values) < _LEAST or not np.isfinite(values).all() or values[0] < 1:
        raise ValueError(f"{path}, line {number}: {line.strip()[:60]!r}; {_REMEDY}")
    left, top, width, height = values[2:6]
    counts = len(values) == _LEAST or values[6] != 0
    return int(values[0]), (left, top, left + width, top + height) if counts else ()
