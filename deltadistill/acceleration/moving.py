"""The key frame's answer moved along with the picture, by optical flow, where that explains the picture."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from deltadistill.acceleration.fidelity import Decoded

_LONGEST = 320  # pixels of the side on which flow is estimated
_LEAST = 16
_AROUND = 5  # pixels a side of the window in which errors are compared


class Moving:
    """Moves what was found in a key frame into a later one, by DIS flow (Kroeger et al., 2016).

    Flow counts where the moved key picture is nearer to the present one than the key picture itself;
    elsewhere answers stay where they are.
    """

    def __init__(self) -> None:
        self._dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._key: np.ndarray | None = None
        self._answer: Decoded = {}

    def begin(self, frame: np.ndarray, answer: Decoded) -> None:
        """Take a key frame uint8 (h, w, 3) and its answer, in pixels of the frame."""
        self._key, self._answer = _small(frame), answer

    def moved(self, frame: np.ndarray) -> Decoded:
        """The answer for a later frame."""
        assert self._key is not None
        now = _small(frame)
        if "boxes" in self._answer:
            flow = self._flow(self._key, now)
            return {**self._answer, "boxes": _moved_boxes(self._answer["boxes"], flow, frame.shape[:2])}
        flow = self._flow(now, self._key)
        if "label_map" in self._answer:
            return {"label_map": _moved_map(self._answer["label_map"], flow, cv2.INTER_NEAREST)}
        if "map" in self._answer:
            return {"map": _moved_map(self._answer["map"], flow, cv2.INTER_LINEAR)}
        tensors: Mapping[str, Any] = self._answer.get("tensors", {})
        return {
            **self._answer,
            "tensors": {name: _moved_tensor(each, flow) for name, each in tensors.items()},
        }

    def _flow(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Where each pixel of `source` is in `target`: float32 (h, w, 2), across and down; else 0."""
        flow = self._dis.calc(source, target, None)
        moved = cv2.remap(target, *_positions(flow), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        before, after = (cv2.blur(cv2.absdiff(source, each), (_AROUND, _AROUND)) for each in (target, moved))
        flow[after >= before] = 0
        return flow


def can_move(answer: Decoded) -> bool:
    """Whether the form of an answer has places that can be moved."""
    if "tensors" in answer:
        return any(np.ndim(each) == 4 for each in answer["tensors"].values())
    return any(form in answer for form in ("boxes", "label_map", "map"))


def _small(frame: np.ndarray) -> np.ndarray:
    height, width = frame.shape[:2]
    scale = min(1.0, _LONGEST / max(height, width))
    size = max(_LEAST, round(width * scale)), max(_LEAST, round(height * scale))
    return cv2.resize(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)


def _positions(flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    height, width = flow.shape[:2]
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    return flow[..., 0] + columns, flow[..., 1] + rows


def _moved_boxes(boxes: Any, flow: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Each by the median of the flow in the middle half of it."""
    boxes = np.array(boxes, np.float64).reshape(-1, 4)
    scale = np.array([flow.shape[1] / size[1], flow.shape[0] / size[0]])
    for box in boxes:
        middle, half = (box[:2] + box[2:]) / 2 * scale, (box[2:] - box[:2]) / 4 * scale
        low = np.floor(middle - half).astype(int).clip(0, [flow.shape[1] - 1, flow.shape[0] - 1])
        high = np.maximum(np.ceil(middle + half).astype(int), low + 1)
        inside = flow[low[1] : high[1], low[0] : high[0]].reshape(-1, 2)
        box += np.tile(np.median(inside, 0) / scale, 2)
    return boxes


def _moved_map(values: Any, flow: np.ndarray, interpolation: int) -> np.ndarray:
    values = np.asarray(values)
    kind = values.dtype if values.dtype in (np.uint8, np.float32) else np.float32
    height, width = values.shape[:2]
    scale = np.array([width / flow.shape[1], height / flow.shape[0]], np.float32)
    flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR) * scale
    moved = cv2.remap(values.astype(kind), *_positions(flow), interpolation, borderMode=cv2.BORDER_REPLICATE)
    return moved.astype(values.dtype)


def _moved_tensor(values: Any, flow: np.ndarray) -> np.ndarray:
    """Of (N, C, h, w) every channel; others stay as they are."""
    values = np.asarray(values)
    if values.ndim != 4 or values.dtype != np.float32:
        return values
    flat = values.reshape(-1, *values.shape[2:])
    return np.stack([_moved_map(each, flow, cv2.INTER_LINEAR) for each in flat]).reshape(values.shape)
