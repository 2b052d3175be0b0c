"""An answer moved along with the picture, by optical flow, where that explains the picture."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from deltadistill.runtime.between import FlowForm

Answer = Mapping[str, Any]
"""What a decoder returns (video/decoders.py)."""

_LEAST = 16
_MAPS = ("label_map", "map")
_NOT_LITTLE = 0.3  # of the middle of a box; the rest of it may be background, or too plain to be followed
_AROUND = 5  # pixels a side of the window in which errors are compared


class Moving:
    """Moves what was found in one picture into later ones.

    Flow counts where the moved picture is nearer to the present one than the picture itself; elsewhere
    answers stay where they are. Raises ValueError where OpenCV is not installed.
    """

    def __init__(self, form: FlowForm | None = None) -> None:
        self._cv2 = _opencv()
        self._form = form or FlowForm()
        preset = getattr(self._cv2, f"DISOPTICAL_FLOW_PRESET_{self._form.preset.upper()}")
        self._dis = self._cv2.DISOpticalFlow_create(preset)
        self._before: np.ndarray | None = None
        self._answer: Answer = {}
        self._so_far: np.ndarray | None = None
        self._types: dict[str, np.dtype[Any]] = {}

    def begin(self, frame: np.ndarray, answer: Answer) -> None:
        """Take a picture uint8 (h, w, 3) and its answer, in pixels of the picture."""
        self._before, self._so_far = self._small(frame), None
        self._answer = _own(answer)
        self._types = {name: np.asarray(answer[name]).dtype for name in _MAPS if name in answer}

    def moved(self, frame: np.ndarray) -> Answer:
        """The answer for a later frame."""
        assert self._before is not None
        now = self._small(frame)
        if "boxes" in self._answer:
            return self._with_boxes(now, frame.shape[:2])
        flow = self._flow(now, self._before)
        if self._form.chained:
            flow = self._added_up(flow)
            self._before = now
        moved = self._with_maps(flow)
        return {**self._answer, **{name: self._typed(name, each) for name, each in moved.items()}}

    def _typed(self, name: str, moved: Any) -> Any:
        return moved.astype(self._types[name]) if name in self._types else moved

    def _with_boxes(self, now: np.ndarray, size: tuple[int, int]) -> Answer:
        flow = self._flow(self._before, now)
        found = {**self._answer, "boxes": _moved_boxes(self._answer["boxes"], flow, size)}
        if self._form.chained:
            self._before, self._answer = now, found
        return found

    def _with_maps(self, flow: np.ndarray) -> dict[str, Any]:
        if "label_map" in self._answer:
            return {"label_map": self._map(self._answer["label_map"], flow, self._cv2.INTER_NEAREST)}
        if "map" in self._answer:
            return {"map": self._map(self._answer["map"], flow, self._cv2.INTER_LINEAR)}
        tensors: Mapping[str, Any] = self._answer.get("tensors", {})
        return {"tensors": {name: self._tensor(each, flow) for name, each in tensors.items()}}

    def _flow(self, source: np.ndarray | None, target: np.ndarray | None) -> np.ndarray:
        """Where each pixel of `source` is in `target`: float32 (h, w, 2), across and down; else 0."""
        cv2 = self._cv2
        flow = self._dis.calc(source, target, None)
        moved = cv2.remap(target, *_positions(flow), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        before, after = (cv2.blur(cv2.absdiff(source, each), (_AROUND, _AROUND)) for each in (target, moved))
        flow[after >= before] = 0
        return flow

    def _added_up(self, flow: np.ndarray) -> np.ndarray:
        """Flow from now to the picture that was begun with, by way of the frame before."""
        if self._so_far is not None:
            cv2 = self._cv2
            flow = flow + cv2.remap(
                self._so_far, *_positions(flow), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
        self._so_far = flow
        return flow

    def _small(self, frame: np.ndarray) -> np.ndarray:
        cv2, (height, width) = self._cv2, frame.shape[:2]
        scale = min(1.0, self._form.side / max(height, width))
        size = max(_LEAST, round(width * scale)), max(_LEAST, round(height * scale))
        return cv2.resize(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)

    def _map(self, values: np.ndarray, flow: np.ndarray, interpolation: int) -> np.ndarray:
        cv2, (height, width) = self._cv2, values.shape[:2]
        scale = np.array([width / flow.shape[1], height / flow.shape[0]], np.float32)
        flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR) * scale
        return cv2.remap(values, *_positions(flow), interpolation, borderMode=cv2.BORDER_REPLICATE)

    def _tensor(self, values: np.ndarray, flow: np.ndarray) -> np.ndarray:
        """Of (N, C, h, w) every channel; others stay as they are."""
        if values.ndim != 4 or values.dtype != np.float32:
            return values.copy()
        flat = values.reshape(-1, *values.shape[2:])
        return np.stack([self._map(each, flow, self._cv2.INTER_LINEAR) for each in flat]).reshape(
            values.shape
        )


def can_move(answer: Answer) -> bool:
    """Whether the form of an answer has places that can be moved."""
    if "tensors" in answer:
        return any(np.ndim(each) == 4 for each in answer["tensors"].values())
    return any(form in answer for form in ("boxes", "label_map", "map"))


def _opencv() -> Any:
    try:
        import cv2
    except ImportError:
        raise ValueError(
            "answers are moved along with the picture by OpenCV, which is not installed; "
            "pip install opencv-python-headless"
        ) from None
    return cv2


def _own(answer: Answer) -> dict[str, Any]:
    """Copies of what moves, in types that OpenCV takes; labels in as few bits as they need."""
    own = dict(answer)
    if "boxes" in own:
        own["boxes"] = np.array(own["boxes"], np.float64).reshape(-1, 4)
    if "label_map" in own:
        labels = np.asarray(own["label_map"])
        is_small = labels.size and labels.min() >= 0 and labels.max() < 256
        own["label_map"] = labels.astype(np.uint8 if is_small else np.float32)
    if "map" in own:
        own["map"] = np.array(own["map"], np.float32)
    if "tensors" in own:
        own["tensors"] = {name: np.array(each) for name, each in own["tensors"].items()}
    return own


def _positions(flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    height, width = flow.shape[:2]
    columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    return flow[..., 0] + columns, flow[..., 1] + rows


def _moved_boxes(boxes: Any, flow: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Each by the median of the flow in the middle half of it: of what moves there, if that is not little."""
    boxes = np.array(boxes, np.float64).reshape(-1, 4)
    scale = np.array([flow.shape[1] / size[1], flow.shape[0] / size[0]])
    for box in boxes:
        middle, half = (box[:2] + box[2:]) / 2 * scale, (box[2:] - box[:2]) / 4 * scale
        low = np.floor(middle - half).astype(int).clip(0, [flow.shape[1] - 1, flow.shape[0] - 1])
        high = np.maximum(np.ceil(middle + half).astype(int), low + 1)
        inside = flow[low[1] : high[1], low[0] : high[0]].reshape(-1, 2)
        moves = inside.any(1)
        inside = inside[moves] if moves.mean() >= _NOT_LITTLE else inside
        box += np.tile(np.median(inside, 0) / scale, 2)
    return boxes
