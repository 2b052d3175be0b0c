"""An answer moved along with the picture, by optical flow, where that explains the picture; needs OpenCV."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from deltadistill.motion.moved import explaining, moved_labels, moved_map, moved_maps, positions
from deltadistill.runtime.between import Between, FlowForm

Answer = Mapping[str, Any]
"""What a decoder returns (video/decoders.py)."""

_LEAST = 16
_POINTS = np.linspace(-1, 1, 9)[:, None]  # across the middle half of a box, and down
_NOT_LITTLE = 0.3  # of the middle of a box; the rest of it may be background, or too plain to be followed


class Moving:
    """Moves what was found in one picture into later ones.

    Flow counts where the moved picture is nearer to the present one than the picture itself; elsewhere
    answers stay where they are.
    """

    def __init__(self, form: FlowForm | None = None) -> None:
        self._form = form or FlowForm()
        preset = getattr(cv2, f"DISOPTICAL_FLOW_PRESET_{self._form.preset.upper()}")
        self._dis = cv2.DISOpticalFlow_create(preset)
        self._before: np.ndarray | None = None
        self._answer: Answer = {}
        self._so_far: np.ndarray | None = None

    def begin(self, frame: np.ndarray, answer: Answer) -> None:
        """Take a picture uint8 (h, w, 3) and its answer, in pixels of the picture."""
        self._before, self._answer, self._so_far = self._small(frame), _own(answer), None

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
        return {**self._answer, **_with_maps(self._answer, flow)}

    def _with_boxes(self, now: np.ndarray, size: tuple[int, int]) -> Answer:
        flow = self._flow(self._before, now)
        boxes = _moved_boxes(self._answer["boxes"], flow, size)
        found = {**self._answer, "boxes": boxes}
        if self._form.chained:
            self._before, self._answer = now, {**found, "boxes": boxes.copy()}
        return found

    def _flow(self, source: np.ndarray | None, target: np.ndarray | None) -> np.ndarray:
        """Where each pixel of `source` is in `target`: float32 (h, w, 2), across and down; else 0."""
        assert source is not None
        assert target is not None
        return explaining(self._dis.calc(source, target, None), source, target)

    def _added_up(self, flow: np.ndarray) -> np.ndarray:
        """Flow from now to the picture that was begun with, by way of the frame before."""
        if self._so_far is not None:
            flow = flow + cv2.remap(
                self._so_far, *positions(flow), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
        self._so_far = flow
        return flow

    def _small(self, frame: np.ndarray) -> np.ndarray:
        height, width = frame.shape[:2]
        scale = min(1.0, self._form.side / max(height, width))
        size = max(_LEAST, round(width * scale)), max(_LEAST, round(height * scale))
        return cv2.resize(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)


class Carrying:
    """See `filling.Filler`: the answer moved along with the picture."""

    def __init__(self, between: Between):
        self._moving = Moving(between.flow)

    def begin(self, frame: np.ndarray, answer: Any) -> None:
        """See `filling.Filler`."""
        self._moving.begin(frame, answer)

    def next_one(self, frame: np.ndarray) -> Any:
        """See `filling.Filler`."""
        return self._moving.moved(frame)


def can_move(answer: Answer) -> bool:
    """Whether the form of an answer has places that can be moved."""
    if "tensors" in answer:
        return any(np.ndim(each) == 4 for each in answer["tensors"].values())
    return any(form in answer for form in ("boxes", "label_map", "map"))


def _moved_boxes(boxes: Any, flow: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Boxes (n, 4), each moved by the median of the flow in the middle half of it, at a few points, float64.

    Of what moves there, if that is not little. All boxes at once: a detector hands out a hundred.
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


def _with_maps(answer: Answer, flow: np.ndarray) -> dict[str, Any]:
    if "label_map" in answer:
        return {"label_map": moved_labels(answer["label_map"], flow)}
    if "map" in answer:
        return {"map": moved_map(answer["map"], flow)}
    tensors: Mapping[str, Any] = answer.get("tensors", {})
    return {"tensors": {name: moved_maps(each, flow) for name, each in tensors.items()}}


def _own(answer: Answer) -> dict[str, Any]:
    """With copies of what moves; the caller may change what it has."""
    own = dict(answer)
    for name in ("boxes", "label_map", "map"):
        if name in own:
            own[name] = np.array(own[name])
    if "tensors" in own:
        own["tensors"] = {name: np.array(each) for name, each in own["tensors"].items()}
    return own
