"""What can be wrong with the objects of a frame, in words."""

from collections import Counter

import numpy as np

from deltadistill.data.boxes import NO_TRACK, Objects


def object_faults(objects: Objects, size: tuple[int, int], where: str) -> list[str]:
    """Faults of the objects of one picture of `size` (height, width); `where` names the picture's source.

    A box must have an area and lie inside its picture; a track must not occur twice in it.
    """
    height, width = size
    faults = []
    for box in objects.boxes:
        shown = ", ".join(f"{edge:g}" for edge in box)
        if not np.isfinite(box).all() or box[0] >= box[2] or box[1] >= box[3]:
            faults.append(f"{where}: box ({shown}) has no area; expected x0 < x1 and y0 < y1")
        elif box[0] < 0 or box[1] < 0 or box[2] > width or box[3] > height:
            faults.append(f"{where}: box ({shown}) lies outside its image of {height}×{width}")
    counted = Counter(int(track) for track in objects.tracks if track != NO_TRACK)
    faults += [f"{where}: track {track} occurs {n} times" for track, n in counted.items() if n > 1]
    return faults


def clipped(objects: Objects, size: tuple[int, int]) -> tuple[Objects, int]:
    """The objects cut off at the picture's border, without those that lie beyond it; and how many changed."""
    height, width = size
    boxes = objects.boxes.clip(0, np.array([width, height, width, height], np.float32))
    changed = (boxes != objects.boxes).any(1)
    kept = ~changed | ((boxes[:, 2:] > boxes[:, :2]).all(1))
    return objects.with_boxes(boxes).chosen(kept), int(changed.sum())
