"""What a random crop, scale and flip does to the boxes of a frame (transforms.py does it to the pixels)."""

import numpy as np

from deltadistill.data.boxes import Objects, area
from deltadistill.data.transforms import View


def objects_in_view(objects: Objects, view: View, *, smallest_share: float = 0.3) -> Objects:
    """The objects as the view shows them, boxes in pixels of its `out`.

    Boxes are cut off at the window's border. An object of which less than `smallest_share` of its box is left
    is taken out: too little of it is to be seen for a network to be asked for it.
    """
    if not 0 <= smallest_share <= 1:
        raise ValueError(f"smallest_share is {smallest_share}; expected 0 to 1")
    window = np.array([view.left, view.top, view.left + view.width, view.top + view.height], np.float32)
    low, high = np.tile(window[:2], 2), np.tile(window[2:], 2)
    inside = objects.boxes.clip(low, high)
    left = area(inside) / np.maximum(area(objects.boxes), 1e-9)
    kept = (left >= smallest_share) & (left > 0)
    scale = np.array([view.out[1] / view.width, view.out[0] / view.height] * 2, np.float32)
    boxes = (inside - low) * scale
    if view.mirrored:
        boxes = np.stack([view.out[1] - boxes[:, 2], boxes[:, 1], view.out[1] - boxes[:, 0], boxes[:, 3]], 1)
    return objects.with_boxes(boxes).chosen(kept)
