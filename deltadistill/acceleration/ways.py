"""Ways to answer the frames of a sequence: its key frame, then one frame after another."""

from typing import Any, Protocol

import numpy as np

from deltadistill.acceleration.case import Case
from deltadistill.acceleration.fidelity import Decoded
from deltadistill.exporting.learning_runner import LearningRunner
from deltadistill.runtime.between import Between as BetweenForm
from deltadistill.runtime.engine import Session
from deltadistill.runtime.filling import Filling
from deltadistill.runtime.runner import Runner


class Way(Protocol):
    """begin: the answer of a key frame, uint8 (h, w, 3); after it, next_one: of each later frame."""

    def begin(self, frame: np.ndarray) -> Decoded:
        """Of a key frame."""

    def next_one(self, frame: np.ndarray) -> Decoded:
        """Of the frame after it."""


class PerFrame:
    """Every frame in full; answers are kept, as other ways are compared with them."""

    def __init__(self, case: Case, session: Session, structure: Any):
        self._case, self._session, self._structure = case, session, structure
        self._kept: dict[int, tuple[np.ndarray, Decoded]] = {}  # the frame too, so that its id stays its own

    def computed(self, frame: np.ndarray) -> Decoded:
        """The answer of a frame, computed in any case."""
        return self._case.decoded(self._structure, self._session.frame(frame[None]))

    def begin(self, frame: np.ndarray) -> Decoded:
        """See `Way`."""
        kept = self._kept.get(id(frame))
        if kept is not None:
            return kept[1]
        answer = self.computed(frame)
        self._kept[id(frame)] = frame, answer
        return answer

    next_one = begin


class Delta:
    """A delta network; answers are kept, as frames between them may be filled in several ways.

    keeps: whether they are; where other frames are key frames each time, none is asked for again.
    """

    def __init__(self, case: Case, session: Session, structure: Any, *, keeps: bool = True):
        self._case, self._session, self._structure = case, session, structure
        self._keeps = keeps
        self._maps: Any = None
        self._key: np.ndarray | None = None
        self._maps_of: np.ndarray | None = None
        self._kept: dict[tuple[int, int], tuple[np.ndarray, np.ndarray, Decoded]] = {}

    def begin(self, frame: np.ndarray) -> Decoded:
        """See `Way`."""
        self._key = frame
        return self._known(frame)

    def next_one(self, frame: np.ndarray) -> Decoded:
        """See `Way`."""
        return self._known(frame)

    def _known(self, frame: np.ndarray) -> Decoded:
        assert self._key is not None
        if not self._keeps:
            return self._computed(frame)
        name = id(self._key), id(frame)
        if name not in self._kept:
            self._kept[name] = self._key, frame, self._computed(frame)
        return self._kept[name][2]

    def _computed(self, frame: np.ndarray) -> Decoded:
        assert self._key is not None
        if self._maps_of is not self._key:
            outputs, self._maps = self._session.key(self._key[None], into=self._maps)
            self._maps_of = self._key
            if frame is self._key:
                return self._case.decoded(self._structure, outputs)
        return self._case.decoded(self._structure, self._session.delta(frame[None], self._maps))


class Filled:
    """Some frames computed by another way, those between them filled from it."""

    def __init__(self, computing: Way, form: BetweenForm):
        self._computing, self._filling = computing, Filling(form)

    def begin(self, frame: np.ndarray) -> Decoded:
        """See `Way`."""
        return self._taken(frame, self._computing.begin(frame), is_key=True)

    def next_one(self, frame: np.ndarray) -> Decoded:
        """See `Way`."""
        if self._filling.is_computed():
            return self._taken(frame, self._computing.next_one(frame), is_key=False)
        return self._filling.answered(frame[None])

    def _taken(self, frame: np.ndarray, answer: Decoded, *, is_key: bool) -> Decoded:
        self._filling.computed(frame[None], answer, is_key=is_key)
        return answer


class OfRunner:
    """A runner's own answers, as it was written."""

    def __init__(self, runner: Runner | LearningRunner):
        self._runner = runner

    @property
    def was_key(self) -> bool:
        """Whether the frame that was answered last was a key frame."""
        return self._runner.is_key_frame

    def begin(self, frame: np.ndarray) -> Decoded:
        """See `Way`."""
        self._runner.refresh()
        return self._runner(frame[None])

    def next_one(self, frame: np.ndarray) -> Decoded:
        """See `Way`."""
        return self._runner(frame[None])
