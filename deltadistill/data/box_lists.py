"""The boxes of a batch's frames as one array, padded to the frame with most of them."""

from collections.abc import Sequence

import numpy as np

from deltadistill.data.boxes import PADDING, UNKNOWN, Objects


def pack_boxes(frames: Sequence[Sequence[Objects | None]]) -> np.ndarray:
    """Objects of clips of equally many frames, float32 (N, T, M, 5): x0, y0, x1, y1, class.

    None is a frame that is not annotated. Regions of many objects (crowd) are left out. M is at least 1.
    """
    alone = [[_single(objects) for objects in clip] for clip in frames]
    most = max(1, *(len(objects) for clip in alone for objects in clip if objects is not None), 1)
    packed = np.full((len(frames), len(frames[0]), most, 5), PADDING, np.float32)
    for row, clip in zip(packed, alone, strict=True):
        for place, objects in zip(row, clip, strict=True):
            if objects is None:
                place[0, 4] = UNKNOWN
                continue
            place[: len(objects), :4] = objects.boxes
            place[: len(objects), 4] = objects.classes
    return packed


def _single(objects: Objects | None) -> Objects | None:
    return None if objects is None else objects.chosen(~objects.crowd)
