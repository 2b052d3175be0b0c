"""Answers with places moved along a flow: boxes, label maps, maps; and where a flow explains the picture."""

from typing import Any

import cv2
import numpy as np

_AROUND = 5  # pixels a side of the window in which errors are compared
_POINTS = np.linspace(-1, 1, 9)[:, None]  # across the middle half of a box, and down
_NOT_LITTLE = 0.3  # of the middle of a box; the rest of it may be background, or too plain to be followed


def explaining(flow: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The flow where it makes `target` nearer to `source` than it lies there unmoved; 0 elsewhere.

    flow: float32 (h, w, 2), across and down, where each pixel of `source` is in `target`; both uint8 (h, w).
    """
    moved = cv2.remap(target, *positions(flow), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    before, after = (cv2.blur(cv2.absdiff(source, each), (_AROUND, _AROUND)) for each in (target, moved))
    return cv2.copyTo(flow, cv2.compare(after, before, cv2.CMP_LT))  # a tenth of the time of numpy's where


def positions(flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Column and row that each pixel's flow (h, w, 2) leads to, float32 (h, w)."""
    height, width = flow.shape[:2]
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    return flow[..., 0] + columns, flow[..., 1] + rows


def moved_boxes(boxes: Any, flow: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Boxes (n, 4), each moved by the median of the flow in the middle half of it, at a few points, float64.

    Of what moves there, if that is not little. All boxes at once: a detector hands out a hundred.
    flow: (h, w, 2), where the pixels of the boxes' own picture have gone. size: height and width of the frame
    whose pixels boxes are in.
    """
    boxes = np.array(boxes, np.float64).reshape(-1, 4)
    scale = np.array([flow.shape[1] / size[1], flow.shape[0] / size[0]])
    middle = (boxes[:, None, :2] + boxes[:, None, 2:]) / 2 * scale
    half = (boxes[:, None, 2:] - boxes[:, None, :2]) / 4 * scale
    places = np.floor(middle + half * _POINTS).astype(int)  # (n, points, 2)
    columns, rows = (places[..., axis].clip(0, flow.shape[1 - axis] - 1) for axis in (0, 1))
    inside = flow[rows[:, :, None], columns[:, None, :]].reshape(len(boxes), -1, 2)
    moves = inside.any(2)
    counts = np.where(moves.mean(1, keepdims=True) >= _NOT_LITTLE, moves, True)
    return boxes + np.tile(_medians(inside, counts) / scale, 2)


def _medians(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Along the middle axis of (n, k, 2), of those (n, k) that count."""
    values = np.sort(np.where(counts[..., None], values, np.inf), 1)
    number, each = counts.sum(1), np.arange(len(values))
    return (values[each, (number - 1) // 2] + values[each, number // 2]) / 2


def moved_labels(labels: Any, flow: np.ndarray) -> np.ndarray:
    """Labels (h, w) of whole numbers, each taken from the nearest place that the flow leads back to."""
    return _moved(labels, flow, cv2.INTER_NEAREST)


def moved_map(values: Any, flow: np.ndarray) -> np.ndarray:
    """A map (h, w), bilinear between the four nearest of the places that the flow leads back to."""
    return _moved(values, flow, cv2.INTER_LINEAR)


def moved_maps(values: Any, flow: np.ndarray) -> np.ndarray:
    """Float32 (N, C, h, w), every channel moved as a map; any other array as it is."""
    values = np.asarray(values)
    if values.ndim != 4 or values.dtype != np.float32:
        return values
    flat = values.reshape(-1, *values.shape[2:])
    return np.stack([moved_map(each, flow) for each in flat]).reshape(values.shape)


def moved_flow(flow: np.ndarray, step: np.ndarray) -> np.ndarray:
    """A flow (h, w, 2), read where another of its size leads, as flows of two steps are added up."""
    return np.stack([moved_map(np.ascontiguousarray(flow[..., axis]), step) for axis in (0, 1)], -1)


def _moved(values: Any, flow: np.ndarray, interpolation: int) -> np.ndarray:
    values = np.asarray(values)
    kind = values.dtype if values.dtype in (np.uint8, np.float32) else np.float32
    height, width = values.shape[:2]
    scale = np.array([width / flow.shape[1], height / flow.shape[0]], np.float32)
    flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR) * scale
    moved = cv2.remap(values.astype(kind), *positions(flow), interpolation, borderMode=cv2.BORDER_REPLICATE)
    return moved.astype(values.dtype)
