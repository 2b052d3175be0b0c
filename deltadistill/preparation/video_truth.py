"""Boxes that a file says of a video, for the clips of one split, in pixels of the frames as they are kept."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from deltadistill.data.box_files import write_box_file
from deltadistill.data.boxes import Objects
from deltadistill.data.manifest import Frame
from deltadistill.data.mot_text import MotBox, read_mot_text
from deltadistill.preparation.extraction import Taken, Window

MEASURED = "test"  # the split whose frames are told what is to be seen: networks are measured by it alone


def with_boxes(
    frames: Sequence[Frame],
    taken: Mapping[Path, Taken],
    truth: Path,
    folder: Path,
    *,
    size: tuple[int, int],
    name: str,
) -> list[Frame]:
    """The same frames, those of the test split with boxes, written to `folder`/<clip>.json.

    truth: MOT text of the one video that all frames are from; a frame that it does not mention shows no
    object. size: (height, width) of the frames; name: what the objects are called.
    Raises ValueError for what is no MOT text, and where it says nothing of the test split.
    """
    found = read_mot_text(truth)
    measured = [frame for frame in frames if frame.split == MEASURED]
    by_clip: dict[str, dict[int, Objects]] = {}
    for frame in measured:
        number, window = taken[frame.image]
        objects = _objects(found.get(number, []), window, size)
        by_clip.setdefault(frame.clip, {})[frame.index] = objects
    if not any(len(objects) for of_clip in by_clip.values() for objects in of_clip.values()):
        raise ValueError(
            f"{truth} has no box in the {len(measured)} frames of the split {MEASURED}, but in frames "
            f"{min(found) + 1} to {max(found) + 1}; expected the truth of this very video"
        )
    for clip, objects in by_clip.items():
        write_box_file(folder / f"{clip}.json", objects, size=size, classes=[name])
    return [
        replace(frame, boxes=folder / f"{frame.clip}.json") if frame.split == MEASURED else frame
        for frame in frames
    ]


def _objects(boxes: Sequence[MotBox], window: Window, size: tuple[int, int]) -> Objects:
    """Boxes of a picture as its window shows them; of what lies outside nothing is left."""
    edges = np.array([box.edges for box in boxes], np.float64).reshape(-1, 4)
    scale = np.array([size[1] / window.width, size[0] / window.height] * 2)
    edges = ((edges - [window.left, window.top] * 2) * scale).clip(0, [size[1], size[0]] * 2)
    seen = ((edges[:, 2:] - edges[:, :2]) > 0).all(1)
    objects = Objects(
        edges,
        np.zeros(len(boxes)),
        tracks=[box.track for box in boxes],
        crowd=[not box.counts for box in boxes],
    )
    return objects.chosen(seen)
