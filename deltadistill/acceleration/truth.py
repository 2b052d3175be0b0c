"""Ground truth of MOT text, a line a box: frame, track, left, top, width, height, …; frames from 1."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deltadistill.acceleration.average_precision import Hits, average_precision, hits
from deltadistill.acceleration.footage import Shot
from deltadistill.files.text import read_text

_PEOPLE = ("person", "pedestrian", "people")
_LEAST = 6
_MOST_BYTES = 2**28
_REMEDY = "expected MOT text, lines of frame,track,left,top,width,height,…"


@dataclass(frozen=True)
class Truth:
    """Boxes (n, 4), left, top, right, bottom in pixels of the picture, by the number of the frame, from 0.

    people: numbers of the classes that are looked for; all where there are none.
    """

    name: str
    boxes: dict[int, np.ndarray]
    people: Sequence[int] = ()

    def record(self, shot: Shot, number: int, found: Any, size: tuple[int, int]) -> Hits:
        """What a frame of a shot adds; found: boxes in the pixels of the network's frame of `size`."""
        if "boxes" not in found:
            raise ValueError(f"{self.name} has boxes, and the network returns none; name a decoder of boxes")
        boxes, labels = np.asarray(found["boxes"], np.float64).reshape(-1, 4), found.get("labels")
        left, top, right, bottom = shot.where
        across, down = (right - left) / size[1], (bottom - top) / size[0]
        boxes = boxes * [across, down, across, down] + [left, top, left, top]
        scores = np.asarray(found.get("scores", np.ones(len(boxes))))
        if self.people and labels is not None:
            wanted = np.isin(labels, self.people)
            boxes, scores = boxes[wanted], scores[wanted]
        there = self.boxes.get(number, np.zeros((0, 4)))
        return hits(there, np.zeros(len(there)), {"boxes": boxes, "scores": scores})

    def total(self, records: Sequence[Hits]) -> float:
        """Average precision at an IoU of 0.5."""
        return average_precision(records)


def read_mot(path: str | Path, categories: Sequence[str] = ()) -> Truth:
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
    return Truth(str(path), {frame: np.array(boxes) for frame, boxes in rows.items()}, people)


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
