"""How fast objects of a video move, by the usual split of ImageNet VID (Zhu et al., FGFA, ICCV 2017).

An object's motion IoU is the mean IoU of its box with the boxes of its own track up to 10 frames before and
after. Above 0.9 it is slow, below 0.7 fast, otherwise medium.
"""

from collections.abc import Sequence

import numpy as np

from deltadistill.data.boxes import NO_TRACK, Objects, iou_matrix

SPEEDS = ("slow", "medium", "fast")
REACH = 10  # frames before and after
_SLOW, _FAST = 0.9, 0.7


def motion_iou(clip: Sequence[Objects], reach: int = REACH) -> list[np.ndarray]:
    """Per frame of a clip, in order, the motion IoU of each object: float64 (n,), 0 to 1.

    NaN for an object whose track is unknown or has no other box within `reach`.
    """
    places: dict[int, list[tuple[int, int]]] = {}
    for index, objects in enumerate(clip):
        for number, track in enumerate(objects.tracks.tolist()):
            if track != NO_TRACK:
                places.setdefault(track, []).append((index, number))
    result = [np.full(len(objects), np.nan) for objects in clip]
    for seen in places.values():
        frames = np.array([index for index, _ in seen])
        boxes = np.stack([clip[index].boxes[number] for index, number in seen])
        for place, (index, number) in enumerate(seen):
            near = (abs(frames - index) <= reach) & (frames != index)
            if near.any():
                result[index][number] = iou_matrix(boxes[place : place + 1], boxes[near]).mean()
    return result


def is_of_speed(motion: np.ndarray, speed: str) -> np.ndarray:
    """bool (n,): whether objects of these motion IoUs move at a speed of SPEEDS; False where it is NaN."""
    if speed not in SPEEDS:
        raise ValueError(f"unknown speed {speed!r}; there are {', '.join(SPEEDS)}")
    slow, fast = motion > _SLOW, motion < _FAST
    return {"slow": slow, "fast": fast, "medium": ~slow & ~fast & ~np.isnan(motion)}[speed]
