"""An answer moved along with the picture, by optical flow, where that explains the picture; needs OpenCV."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from deltadistill.motion.dis import dis_flow, grey
from deltadistill.motion.moved import explaining, moved_boxes, moved_flow, moved_labels, moved_map, moved_maps
from deltadistill.runtime.between import Between, FlowForm

Answer = Mapping[str, Any]
"""What a decoder returns (video/decoders.py)."""


class Moving:
    """Moves what was found in one picture into later ones.

    Flow counts where the moved picture is nearer to the present one than the picture itself; elsewhere
    answers stay where they are.
    """

    def __init__(self, form: FlowForm | None = None) -> None:
        self._form = form or FlowForm()
        self._dis = dis_flow(self._form.preset)
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
        boxes = moved_boxes(self._answer["boxes"], flow, size)
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
            flow = flow + moved_flow(self._so_far, flow)
        self._so_far = flow
        return flow

    def _small(self, frame: np.ndarray) -> np.ndarray:
        return grey(frame, self._form.side)


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
