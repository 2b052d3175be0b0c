"""Answers of the frames that are not computed: that of the frame computed last, as it is or moved along."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from deltadistill.runtime.between import Between
from deltadistill.runtime.needs_opencv import made_with_opencv
from deltadistill.runtime.registry import FILLERS


class Filler(Protocol):
    """Answers frames from one that was computed; the caller may change what it is handed."""

    def begin(self, frame: np.ndarray, answer: Any) -> None:
        """Take a computed frame, uint8 (h, w, 3) where it is a picture, and its answer."""

    def next_one(self, frame: np.ndarray) -> Any:
        """The answer of a frame after it."""


class Copying:
    """The answer as it is."""

    def __init__(self, between: Between) -> None:
        self._answer: Any = None

    def begin(self, frame: np.ndarray, answer: Any) -> None:
        """See `Filler`."""
        self._answer = _copied(answer)

    def next_one(self, frame: np.ndarray) -> Any:
        """See `Filler`."""
        return _copied(self._answer)


def filler(between: Between) -> Filler:
    """What answers frames that are not computed; ValueError where it needs what is not installed."""
    return made_with_opencv(lambda: FILLERS.find(between.kind)(between), "answers")


class Filling:
    """Whether the next frame is computed, by its distance from the key frame, and its answer if not."""

    def __init__(self, between: Between):
        self._every, self._filler = between.every, filler(between)
        self._distance = 0

    def is_computed(self) -> bool:
        """Whether the next frame, if no key frame, is."""
        return self._every is not None and (self._distance + 1) % self._every == 0

    def computed(self, frame: np.ndarray, answer: Any, *, is_key: bool) -> None:
        """Take a computed frame (1, …) and its answer."""
        self._distance = 0 if is_key else self._distance + 1
        self._filler.begin(frame[0], answer)

    def answered(self, frame: np.ndarray) -> Any:
        """The answer of a frame (1, …) that is not computed."""
        answer = self._filler.next_one(frame[0])
        self._distance += 1
        return answer


def _copied(answer: Any) -> Any:
    if isinstance(answer, Mapping):
        return {name: _copied(each) for name, each in answer.items()}
    if isinstance(answer, list | tuple):
        return type(answer)(_copied(each) for each in answer)
    return answer.copy() if isinstance(answer, np.ndarray) else answer
