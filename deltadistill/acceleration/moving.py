"""The key frame's answer moved along with the picture, by optical flow, where that explains the picture."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from deltadistill.acceleration.fidelity import Decoded
from deltadistill.motion.moved import explaining, moved_boxes, moved_labels, moved_map, moved_maps

_LONGEST = 320  # pixels of the side on which flow is estimated
_LEAST = 16


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
            return {**self._answer, "boxes": moved_boxes(self._answer["boxes"], flow, frame.shape[:2])}
        flow = self._flow(now, self._key)
        if "label_map" in self._answer:
            return {"label_map": moved_labels(self._answer["label_map"], flow)}
        if "map" in self._answer:
            return {"map": moved_map(self._answer["map"], flow)}
        tensors: Mapping[str, Any] = self._answer.get("tensors", {})
        return {
            **self._answer,
            "tensors": {name: moved_maps(each, flow) for name, each in tensors.items()},
        }

    def _flow(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Where each pixel of `source` is in `target`: float32 (h, w, 2), across and down; else 0."""
        return explaining(self._dis.calc(source, target, None), source, target)


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
