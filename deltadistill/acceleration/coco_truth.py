"""Ground truth of COCO JSON: boxes of the pictures that it lists, with classes that the network names too."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deltadistill.acceleration.frame_names import FrameOf
from deltadistill.acceleration.truth import BoxTruth
from deltadistill.files.strict_json import read_json

_MOST_BYTES = 2**30
_REMEDY = "expected COCO JSON of boxes: images, annotations, categories"


def read_coco(path: Path, categories: Sequence[str], frame_of: FrameOf) -> BoxTruth:
    """Read a file; ValueError with path and place for what is no such truth.

    categories: the network's names of classes. frame_of: the frame of an image, by its file_name, where the
    image has no frame_id. Regions of many objects (iscrowd) are left out, as are classes that the network
    does not name; ValueError where it names none of them.
    """
    content = read_json(path, remedy=_REMEDY, most_bytes=_MOST_BYTES)
    try:
        return _truth(path, content, categories, frame_of)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: {type(error).__name__} {error}; {_REMEDY}") from None


def _truth(path: Path, content: Any, categories: Sequence[str], frame_of: FrameOf) -> BoxTruth:
    classes = _classes(path, content["categories"], categories)
    frames = {each["id"]: _frame(path, each, frame_of) for each in content["images"]}
    if not frames:
        raise ValueError(f"{path} lists no image; {_REMEDY}")
    rows: dict[int, list[tuple[float, ...]]] = {}
    for number, each in enumerate(content["annotations"]):
        if each["image_id"] not in frames:
            raise ValueError(
                f"{path}: annotation {number} is of image {each['image_id']}, which is not listed; {_REMEDY}"
            )
        if each["category_id"] in classes and not each.get("iscrowd", 0):
            row = (*_corners(path, number, each["bbox"]), classes[each["category_id"]])
            rows.setdefault(frames[each["image_id"]], []).append(row)
    tables = {frame: np.array(table) for frame, table in rows.items()}
    sizes = {
        frames[each["id"]]: (int(each["height"]), int(each["width"]))
        for each in content["images"]
        if "height" in each and "width" in each
    }
    return BoxTruth(
        str(path),
        {frame: table[:, :4] for frame, table in tables.items()},
        {frame: table[:, 4].astype(np.int64) for frame, table in tables.items()},
        tuple(classes.values()),
        frozenset(frames.values()),
        sizes,
    )


def _classes(path: Path, listed: Sequence[Mapping[str, Any]], categories: Sequence[str]) -> dict[int, int]:
    """The network's numbers of classes by those of the file, of names that both have."""
    numbers = {name.lower(): index for index, name in enumerate(categories)}
    found = {each["id"]: numbers[each["name"].lower()] for each in listed if each["name"].lower() in numbers}
    if not found:
        named = ", ".join(categories[:5]) or "no class by name (an adapter does: categories)"
        there = ", ".join(str(each["name"]) for each in listed[:5])
        raise ValueError(f"{path} is about {there or 'nothing'}, and the network names {named}")
    return found


def _frame(path: Path, image: Mapping[str, Any], frame_of: FrameOf) -> int:
    if "frame_id" in image:
        return int(image["frame_id"])
    try:
        return frame_of(str(image["file_name"]))
    except ValueError as error:
        raise ValueError(f"{path}: image {image['id']}: {error}") from None


def _corners(path: Path, number: int, box: Sequence[float]) -> tuple[float, float, float, float]:
    if len(box) != 4 or not all(isinstance(side, int | float) for side in box):
        raise ValueError(
            f"{path}: annotation {number} has the bbox {box!r:.60}; expected x, y, width, height"
        )
    left, top, width, height = box
    return left, top, left + width, top + height
