"""What is collected of frames with boxes, until all are there: average precision needs them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from deltadistill.data.boxes import Detections, Objects
from deltadistill.metrics.mean_average_precision import MeanAveragePrecision

Boxes = TypeVar("Boxes", Detections, Objects)


@dataclass(frozen=True)
class Wanted:
    """What is to be found in a frame: its objects, their motion IoU (n,), and (clip, index) of the frame."""

    objects: Objects
    motion: np.ndarray
    place: tuple[str, int]


@dataclass
class DetectionMetric:
    """Collects (detections, what is wanted) of frames; those of several metrics add up."""

    frames: list[tuple[Detections, Wanted]] = field(default_factory=list)

    def update(self, prediction: Detections, reference: Wanted) -> None:
        """Add one frame."""
        self.frames.append((prediction, reference))

    def state(self) -> dict[str, Any] | None:
        """All frames, as a few long tensors instead of many short ones; None where there is none."""
        if not self.frames:
            return None
        found, wanted = zip(*self.frames, strict=True)
        return {
            "found": _packed(found),
            "objects": _packed([frame.objects for frame in wanted]),
            "motion": torch.from_numpy(np.concatenate([frame.motion for frame in wanted])),
            "places": [frame.place for frame in wanted],
        }

    def add(self, state: Mapping[str, Any]) -> None:
        """Add the frames of another metric, whose state this is."""
        objects = _unpacked(state["objects"], Objects)
        motion = state["motion"].split([len(some) for some in objects])
        wanted = [
            Wanted(some, moved.numpy(), tuple(place))
            for some, moved, place in zip(objects, motion, state["places"], strict=True)
        ]
        self.frames += zip(_unpacked(state["found"], Detections), wanted, strict=True)

    def __add__(self, other: DetectionMetric) -> DetectionMetric:
        return DetectionMetric(self.frames + other.frames)

    def precision(self, classes: int, max_detections: int) -> MeanAveragePrecision:
        """The metric of pycocotools over all frames, whose order decides between equal scores."""
        metric = MeanAveragePrecision(classes, max_detections=max_detections)
        for found, wanted in sorted(self.frames, key=lambda frame: frame[1].place):
            metric.update(found, wanted.objects, motion=wanted.motion)
        return metric


def _packed(records: Sequence[Boxes]) -> dict[str, Tensor]:
    """The boxes of all frames, one after another, and how many each has."""
    names = records[0].__dataclass_fields__
    columns = {name: np.concatenate([getattr(record, name) for record in records]) for name in names}
    counts = torch.tensor([len(record) for record in records])
    return {"counts": counts, **{name: torch.from_numpy(column) for name, column in columns.items()}}


def _unpacked(packed: Mapping[str, Tensor], kind: type[Boxes]) -> list[Boxes]:
    counts = packed["counts"].tolist()
    columns = [packed[name].split(counts) for name in kind.__dataclass_fields__]
    return [kind(*(column.numpy() for column in of_frame)) for of_frame in zip(*columns, strict=True)]
