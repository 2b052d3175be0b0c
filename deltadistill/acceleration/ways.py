"""Ways to answer the frames of a sequence: its key frame, then one frame after another."""

from typing import Any, Protocol

import numpy as np

from deltadistill.acceleration.case import Case
from deltadistill.acceleration.fidelity import Decoded
from deltadistill.acceleration.moving import Moving
from deltadistill.runtime.engine import Session


class Way(Protocol):
    """begin: the answer of a key frame, uint8 (h, w, 3); after it, next_one: of each later frame."""

    def begin(self, frame: np.ndarray) -> Decoded:
        """Of a key frame."""

    def next_one(self, frame: np.ndarray) -> Decoded:
        """Of the frame after it."""


class PerFrame:
    """Every frame in full; answers are kept, as other ways are compared with them."""

    def __init__(self, case: Case, session: Session, structure: Any, *, keeps: bool = True):
        self._case, self._session, self._structure = case, session, structure
        self._keeps = keeps
        self._kept: dict[int, tuple[np.ndarray, Decoded]] = {}  # the frame too, so that its id stays its own

    def begin(self, frame: np.ndarray) -> Decoded:
        """See `Way`."""
        kept = self._kept.get(id(frame))
        if kept is not None:
            return kept[1]
        answer = self._case.decoded(self._structure, self._session.frame(frame[None]))
        if self._keeps:
            self._kept[id(frame)] = frame, answer
        return answer

    next_one = begin


class Copied:
    """The key frame's answer, until the next."""

    def __init__(self, plain: PerFrame):
        self._plain = plain
        self._answer: Decoded = {}

    def begin(self, frame: np.ndarray) -> Decoded:
        """See `Way`."""
        self._answer = self._plain.begin(frame)
        return self._answer

    def next_one(self, frame: np.ndarray) -> Decoded:
        """See `Way`."""
        return self._answer


class Moved:
    """The key frame's answer, moved along with the picture."""

    def __init__(self, plain: PerFrame):
        self._plain, self._moving = plain, Moving()

    def begin(self, frame: np.ndarray) -> Decoded:
        """See `Way`."""
        answer = self._plain.begin(frame)
        self._moving.begin(frame, answer)
        return answer

    def next_one(self, frame: np.ndarray) -> Decoded:
        """See `Way`."""
        return self._moving.moved(frame)


class Delta:
    """A delta network."""

    def __init__(self, case: Case, session: Session, structure: Any):
        self._case, self._session, self._structure = case, session, structure
        self._maps: Any = None

    def begin(self, frame: np.ndarray) -> Decoded:
        """See `Way`."""
        outputs, self._maps = self._session.key(frame[None], into=self._maps)
        return self._case.decoded(self._structure, outputs)

    def next_one(self, frame: np.ndarray) -> Decoded:
        """See `Way`."""
        return self._case.decoded(self._structure, self._session.delta(frame[None], self._maps))
