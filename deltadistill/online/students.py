"""Students: any network that learns as a whole, or those of a delta network, whose teacher is its own."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.blocks.candidates import RULE
from deltadistill.blocks.delta_network import delta_blocks, seat_of
from deltadistill.forward.modes import copy_with_modes
from deltadistill.forward.outputs import frame_outputs
from deltadistill.online.batch_norm import BatchNorm, learning, prepare
from deltadistill.online.key_session import LearningSession
from deltadistill.online.learner import Learner
from deltadistill.online.parts import Part, last_parameters


class NetworkStudent:
    """A copy of a network, in evaluation mode, all of which learns.

    Of batch norm see `online.batch_norm`. It answers every frame by itself.
    """

    can_answer = True

    def __init__(
        self,
        network: nn.Module,
        *,
        learning_rate: float,
        momentum: float,
        batch_norm: BatchNorm = "frozen",
        part: Part = "all",
        share: float = 1.0,
    ):
        self.network = copy_with_modes(network).eval().requires_grad_(True)
        chosen = list(self.network.parameters())
        if part == "last":
            self.network.requires_grad_(False)
            chosen = last_parameters(self.network, share)
            for parameter in chosen:
                parameter.requires_grad_(True)
        self._batch_norm = prepare(self.network, batch_norm)
        self.learns_as_it_answers = self._batch_norm == "frozen"
        self.learner = Learner(
            chosen,
            () if self.learns_as_it_answers else self.network.buffers(),
            learning_rate=learning_rate,
            momentum=momentum,
            share=share if part == "largest" else 1.0,
        )

    @torch.no_grad()
    def answer(self, frame: Tensor) -> Any:
        """See `updates.Student`."""
        return self._counted(frame)

    @torch.enable_grad()
    def learning_answer(self, frame: Tensor) -> Any:
        """See `updates.Student`."""
        with learning(self.network, self._batch_norm):
            return self._counted(frame)

    def _counted(self, frame: Tensor) -> Any:
        self._shape = frame.shape
        run = lambda: frame_outputs(self.network, frame)  # noqa: E731
        return self.learner.counted(("forward", frame.shape), run)

    def begin_frame(self) -> None:
        """See `updates.Student`."""
        self.learner.begin_frame()

    def step(self, loss: Tensor) -> None:
        """See `updates.Student`."""
        self.learner.step(loss, self._shape)

    def is_finite(self) -> bool:
        """See `updates.Student`."""
        return self.learner.is_finite()

    def snapshot(self) -> Any:
        """See `updates.Student`."""
        return self.learner.snapshot()

    def restore(self, snapshot: Any) -> None:
        """See `updates.Student`."""
        self.learner.restore(snapshot)

    def adopt(self, frame: Tensor) -> None:
        """The frame is labelled; nothing of it is kept but what was learned."""

    def forget(self) -> None:
        """Begin another stream."""
        self.learner.forget()

    def state(self) -> dict[str, Any]:
        """What `resume` goes on from, as tensors and plain values."""
        return {"learner": self.learner.snapshot()}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.learner.restore(state["learner"])

    @property
    def state_bytes(self) -> int:
        """Memory that is kept for the next frame."""
        return self.learner.bytes


class DeltaStudent(NetworkStudent):
    """The students of a delta network: they answer relative to the last labelled frame, its key frame.

    The network's own teacher labels frames (`label`); only the chosen candidates learn, by what they predict
    for a new labelled frame from the key frame before. So nothing is to be answered before the first one.
    Raises ValueError for a network without students that learn.
    """

    learns_as_it_answers = True

    def __init__(self, network: nn.Module, *, learning_rate: float, momentum: float, share: float = 1.0):
        self.network = copy_with_modes(network).eval().requires_grad_(False)
        self._seat = seat_of(self.network)
        self.learner = Learner(
            self._learning(), (), learning_rate=learning_rate, momentum=momentum, share=share
        )
        self._session: LearningSession | None = None
        self._next: LearningSession | None = None
        self._key_frame: Tensor | None = None

    def _learning(self) -> list[nn.Parameter]:
        chosen = [
            getattr(block, block.choice)
            for block in delta_blocks(self.network).values()
            if block.choice != RULE
        ]
        found = [
            parameter.requires_grad_(True)
            for each in chosen
            if each is not None
            for parameter in each.parameters()
        ]
        if not found:
            raise ValueError(
                "the delta network's blocks have no candidates with weights, so nothing could learn"
            )
        return found

    @property
    def can_answer(self) -> bool:  # type: ignore[override]  # there only after a labelled frame
        """Whether a frame was labelled."""
        return self._session is not None

    @torch.no_grad()
    def label(self, frame: Tensor) -> Any:
        """The teacher's output for a frame; `adopt` makes it the key frame."""
        self._next = LearningSession()
        self._next.begin_frame(is_key_frame=True, streams=len(frame))
        return self._run(self._next, frame)

    @torch.no_grad()
    def adopt(self, frame: Tensor) -> None:
        """Answer relative to this frame, the last labelled, from here on."""
        self._session, self._next, self._key_frame = self._next, None, frame.detach().clone()
        self._renew(frame)

    @torch.no_grad()
    def answer(self, frame: Tensor) -> Any:
        """See `updates.Student`."""
        return self._later(frame, "answer")

    @torch.enable_grad()
    def learning_answer(self, frame: Tensor) -> Any:
        """See `updates.Student`."""
        self._renew(frame)
        return self._later(frame, "learn")

    def restore(self, snapshot: Any) -> None:
        """See `updates.Student`."""
        self.learner.restore(snapshot)
        if self._session is not None:
            with torch.no_grad():
                self._session.renew()

    def _renew(self, frame: Tensor) -> None:
        """What is kept of the key frame, by the weights of now."""
        assert self._session is not None  # see can_answer
        self.learner.counted((torch.is_grad_enabled(), "renew", frame.shape), self._session.renew)

    def _later(self, frame: Tensor, what: str) -> Any:
        session = self._session
        assert session is not None  # see can_answer
        self._shape = frame.shape
        session.begin_frame(is_key_frame=False, streams=len(frame))
        return self.learner.counted((what, frame.shape), lambda: self._run(session, frame))

    def _run(self, session: LearningSession, frame: Tensor) -> Any:
        with self._seat.taken_by(session):
            return frame_outputs(self.network, frame)

    def forget(self) -> None:
        """Begin another stream."""
        self._session = self._next = self._key_frame = None
        self.learner.forget()

    def state(self) -> dict[str, Any]:
        """What `resume` goes on from; the key frame stands for the maps that are kept of it."""
        return {"learner": self.learner.snapshot(), "key_frame": self._key_frame}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned; the key frame is computed again."""
        self.learner.restore(state["learner"])
        self._session = self._key_frame = None
        if (frame := state["key_frame"]) is not None:
            self.label(frame)
            self.adopt(frame)

    @property
    def state_bytes(self) -> int:
        """Memory that is kept for the next frame."""
        return self.learner.bytes + (0 if self._session is None else self._session.bytes)
