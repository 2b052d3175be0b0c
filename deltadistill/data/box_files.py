"""The manifest's column `boxes`: per clip one JSON of the objects in each of its frames.

    {"size": [height, width], "0": [{"id": 3, "class": "car", "box": [x0, y0, x1, y1]}, ...], "1": [], ...}

Keys are the frames' indices in the clip; a frame without an entry was not annotated. `id` lasts through a
clip, null: unknown. `size` is that of the clip's pictures, in which the boxes are measured; it is left out
where all pictures of a data set are alike. Flags that are true are written: `occluded`, `generated`, `crowd`.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from deltadistill.data.boxes import NO_TRACK, Objects
from deltadistill.files.limits import MOST_PIXELS
from deltadistill.files.strict_json import read_json

_REMEDY = "run the stage prepare_dataset again"
FLAGS = ("occluded", "generated", "crowd")


def write_box_file(
    path: Path, frames: Mapping[int, Objects], *, size: tuple[int, int], classes: Sequence[str]
) -> None:
    """Write the objects of a clip's frames, by index; `size` is (height, width), `classes` the names."""
    content: dict = {"size": [*size]}
    for index, objects in frames.items():
        content[str(index)] = [_entry(objects, number, classes) for number in range(len(objects))]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")


def read_box_file(path: Path, classes: Sequence[str]) -> tuple[dict[int, Objects], tuple[int, int] | None]:
    """Objects by frame index, and the size of the pictures where the file says it.

    ValueError for a file that cannot be read, or that names a class outside `classes`.
    """
    content = read_json(path, remedy=_REMEDY)
    try:
        size = _size(content.pop("size", None))
        frames = {int(index): _objects(entries, classes) for index, entries in content.items()}
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ValueError(f"{path} is not readable as boxes ({error!s:.200}); {_REMEDY}") from error
    return frames, size


def _size(sides: object) -> tuple[int, int] | None:
    if sides is None:
        return None
    if not isinstance(sides, list) or len(sides) != 2 or not all(type(side) is int for side in sides):
        raise ValueError(f"its size is {sides!r:.50}, not height and width")
    if min(sides) < 1 or sides[0] * sides[1] > MOST_PIXELS:
        raise ValueError(f"its size is {sides}; pictures of 1 to {MOST_PIXELS} pixels are read")
    return sides[0], sides[1]


def _entry(objects: Objects, number: int, classes: Sequence[str]) -> dict:
    track = int(objects.tracks[number])
    entry = {
        "id": None if track == NO_TRACK else track,
        "class": classes[objects.classes[number]],
        "box": [int(edge) if edge == int(edge) else round(float(edge), 3) for edge in objects.boxes[number]],
    }
    return entry | {flag: True for flag in FLAGS if getattr(objects, flag)[number]}


def _objects(entries: list[dict], classes: Sequence[str]) -> Objects:
    unknown = sorted({str(entry["class"]) for entry in entries} - set(classes))
    if unknown:
        raise ValueError(f"class {unknown[0]!r} is not one of {', '.join(classes)}")
    return Objects(
        boxes=np.array([entry["box"] for entry in entries], np.float32).reshape(-1, 4),
        classes=[classes.index(entry["class"]) for entry in entries],
        tracks=[NO_TRACK if entry["id"] is None else entry["id"] for entry in entries],
        **{flag: [entry.get(flag, False) for entry in entries] for flag in FLAGS},
    )
