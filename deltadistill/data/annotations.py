"""How frames are annotated: maps of labels, boxes, or one number a frame; what a batch has of each."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from deltadistill.data.box_lists import pack_boxes
from deltadistill.data.box_view import objects_in_view
from deltadistill.data.boxes import Objects
from deltadistill.data.dataset_info import Annotation
from deltadistill.data.manifest import Frame
from deltadistill.data.transforms import View

Drawn = tuple[list[Frame], View]
"""The frames of a clip, and the view of them that a batch has."""


class Store(Protocol):
    """What is read of a data set's files for a batch (data.frames.FrameStore)."""

    def label_array(self, frame: Frame) -> np.ndarray:
        """Class indices uint8 (H, W), 255 where ignored."""

    def boxes(self, frame: Frame) -> Objects:
        """The objects of a frame."""

    def has_boxes(self, frame: Frame) -> bool:
        """Whether there are boxes for a frame, though it may show no object."""


class Annotations(Protocol):
    """One way in which frames are annotated.

    mixes_stills: single frames are drawn from stills and videos, 1 : 1 (mixture.EvenMixture).
    """

    mixes_stills: bool

    def is_annotated(self, store: Store, frame: Frame) -> bool:
        """Whether a frame has what its data set is annotated with."""

    def batch(self, store: Store, drawn: Sequence[Drawn], size: tuple[int, int]) -> np.ndarray:
        """What N clips of T frames are annotated with, seen in views of `size`: (N, T, …)."""


class LabelMaps:
    """A label for every pixel; of a batch uint8 (N, T, h, w), 255 throughout for a frame without."""

    mixes_stills = False

    def is_annotated(self, store: Store, frame: Frame) -> bool:
        """Whether a frame has a map of labels."""
        return frame.label is not None

    def batch(self, store: Store, drawn: Sequence[Drawn], size: tuple[int, int]) -> np.ndarray:
        """See `Annotations`."""
        label = np.empty((len(drawn), len(drawn[0][0]) if drawn else 0, *size), np.uint8)
        for row, (frames, view) in zip(label, drawn, strict=True):
            for place, frame in zip(row, frames, strict=True):
                place[:] = view.label(store.label_array(frame))
        return label


class Boxes:
    """Boxes with classes; of a batch float32 (N, T, M, 5), see box_lists."""

    mixes_stills = True

    def is_annotated(self, store: Store, frame: Frame) -> bool:
        """Whether there are boxes for a frame."""
        return store.has_boxes(frame)

    def batch(self, store: Store, drawn: Sequence[Drawn], size: tuple[int, int]) -> np.ndarray:
        """See `Annotations`."""
        return pack_boxes(
            [
                [
                    objects_in_view(store.boxes(frame), view) if store.has_boxes(frame) else None
                    for frame in frames
                ]
                for frames, view in drawn
            ]
        )


class Targets:
    """One number a frame, whatever the view; of a batch float32 (N, T), NaN for a frame without."""

    mixes_stills = False

    def is_annotated(self, store: Store, frame: Frame) -> bool:
        """Whether a frame has a target."""
        return frame.target is not None

    def batch(self, store: Store, drawn: Sequence[Drawn], size: tuple[int, int]) -> np.ndarray:
        """See `Annotations`."""
        return np.array(
            [[np.nan if frame.target is None else frame.target for frame in frames] for frames, _ in drawn],
            np.float32,
        )


ANNOTATIONS: dict[Annotation, Annotations] = {
    "label_maps": LabelMaps(),
    "boxes": Boxes(),
    "targets": Targets(),
}
