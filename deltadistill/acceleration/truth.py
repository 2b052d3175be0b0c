"""Ground truth that answers are scored against, beside the per-frame network's own answers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from deltadistill.acceleration.average_precision import Hits, average_precision, hits
from deltadistill.acceleration.footage import Shot

Record = Any
"""What one frame adds to a score."""


class Truth(Protocol):
    """name: of the file. digest: of its content. measure: of the score, in words."""

    name: str
    digest: str
    measure: str

    def covers(self, number: int) -> bool:
        """Whether it says anything of the frame of this number, from 0."""

    def record(self, shot: Shot, number: int, found: Mapping[str, Any], size: tuple[int, int]) -> Record:
        """What a frame of a shot adds; found: an answer in the pixels of the network's frame of `size`."""

    def total(self, records: Sequence[Record]) -> float:
        """The score over all of them, 0 to 1."""


@dataclass(frozen=True)
class BoxTruth:
    """Boxes (n, 4), left, top, right, bottom in pixels of the picture, by the number of the frame, from 0.

    labels: their classes (n,), as the network numbers them; {} where all are of one. wanted: numbers of the
    network's classes that are looked for; all where there are none. frames: those that it is about; None:
    all. sizes: (height, width) of pictures, where the file says them.
    """

    name: str
    boxes: Mapping[int, np.ndarray]
    labels: Mapping[int, np.ndarray]
    wanted: Collection[int] = ()
    frames: Collection[int] | None = None
    sizes: Mapping[int, tuple[int, int]] | None = None
    measure: str = "AP at IoU 0.5"
    digest: str = ""

    def covers(self, number: int) -> bool:
        """See `Truth`."""
        return self.frames is None or number in self.frames

    def record(self, shot: Shot, number: int, found: Mapping[str, Any], size: tuple[int, int]) -> Hits:
        """See `Truth`."""
        if "boxes" not in found:
            raise ValueError(f"{self.name} has boxes, and the network returns none; name a decoder of boxes")
        require_size(self.name, number, (self.sizes or {}).get(number), shot)
        boxes, labels = np.asarray(found["boxes"], np.float64).reshape(-1, 4), found.get("labels")
        left, top, right, bottom = shot.where
        across, down = (right - left) / size[1], (bottom - top) / size[0]
        boxes = boxes * [across, down, across, down] + [left, top, left, top]
        scores = np.asarray(found.get("scores", np.ones(len(boxes))))
        labels = np.zeros(len(boxes), np.int64) if labels is None else np.asarray(labels)
        if len(self.wanted) and found.get("labels") is not None:
            kept = np.isin(labels, list(self.wanted))
            boxes, scores, labels = boxes[kept], scores[kept], labels[kept]
        there = self.boxes.get(number, np.zeros((0, 4)))
        classes = self.labels.get(number, np.zeros(len(there), np.int64))
        labels = labels if self.labels else np.zeros(len(boxes), np.int64)
        return hits(there, classes, {"boxes": boxes, "scores": scores, "labels": labels})

    def total(self, records: Sequence[Hits]) -> float:
        """Average precision at an IoU of 0.5, of all classes together."""
        return average_precision(records)


def require_size(name: str, number: int, size: tuple[int, int] | None, shot: Shot) -> None:
    """Raise ValueError where truth is about a picture of another size (height, width)."""
    if size is not None and tuple(size) != tuple(shot.picture):
        raise ValueError(
            f"{name}: frame {number} is {size[0]}×{size[1]} there, and {shot.picture[0]}×{shot.picture[1]} "
            f"in {shot.video}; expected the truth of this very video"
        )
