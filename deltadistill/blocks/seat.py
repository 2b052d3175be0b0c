"""Which session decides for a network's blocks: that of the call, so that any number may run one network.

A session holds in the thread that seated it (by a context variable, so that `contextvars.copy_context`
carries it into others). Every other thread has the network per frame meanwhile, or sessions of its own.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd import Variable

_log = logging.getLogger(__name__)


class Seated(Protocol):
    """What a seat knows of a converted block."""

    name: str
    teacher: nn.Module


class Session(Protocol):
    """Decides what a block's forward does."""

    def run(self, block: Any, x: Tensor) -> Tensor:
        """Return the block's output for `x`."""


Taken = TypeVar("Taken", bound=Session)


class PerFrameSession:
    """Every frame by the teacher."""

    def run(self, block: Seated, x: Tensor) -> Tensor:
        """Return the teacher's output."""
        return block.teacher(x)


_PER_FRAME = PerFrameSession()


@dataclass(eq=False)
class _Occupation:
    """One session for the time of one run, and which blocks ran with it, or meanwhile without any."""

    session: Session
    ran: set[str] = field(default_factory=set)
    ran_elsewhere: set[str] = field(default_factory=set)


class Seat:
    """Holds the sessions of one delta network, each for the call that seated it; its blocks share it.

    Copies and pickles of a seat are empty.
    """

    def __init__(self) -> None:
        self._occupations: tuple[_Occupation, ...] = ()  # of all threads
        self._lock = Lock()
        self._clip_backwards: set[int] = set()
        self._has_warned = False

    def __reduce__(self) -> tuple[type["Seat"], tuple[()]]:
        return Seat, ()

    @contextmanager
    def taken_by(self, session: Taken) -> Iterator[Taken]:
        """Let `session` decide inside the with statement, for this thread; then the one before.

        Raises RuntimeError where the network ran in another thread instead, which knows no session.
        """
        occupation = _Occupation(session)
        self._change(add=occupation)
        token = _seated.set({**_seated.get(), self: occupation})
        try:
            yield session
        finally:
            _seated.reset(token)
            self._change(remove=occupation)
        self._look_elsewhere(occupation)

    def session_for(self, block: Seated) -> Session:
        """Return the session that decides in this thread; without one, every frame is the teacher's.

        Raises RuntimeError for a block that the backward pass of a clip runs again.
        """
        occupation = _seated.get().get(self)
        if occupation is not None:
            occupation.ran.add(block.name)
            return occupation.session
        if self._clip_backwards and torch._C._current_graph_task_id() in self._clip_backwards:
            raise RuntimeError(
                f"the block {block.name!r} runs again in the backward pass of a clip (gradient "
                "checkpointing), where nothing tells key frames from others; switch checkpointing off to "
                "train on clips"
            )
        for other in self._occupations:
            other.ran_elsewhere.add(block.name)
        return _PER_FRAME

    def refuse_recomputation(self, tensors: Iterable[Tensor]) -> None:
        """Let blocks that run again in the backward pass of a clip's `tensors` raise, not run per frame."""
        for tensor in tensors:
            if tensor.grad_fn is not None:
                tensor.grad_fn.register_prehook(self._mark_backward)

    def _mark_backward(self, gradients: Any) -> None:
        backward = torch._C._current_graph_task_id()
        if backward not in self._clip_backwards:
            self._clip_backwards.add(backward)
            Variable._execution_engine.queue_callback(lambda: self._clip_backwards.discard(backward))

    def _change(self, *, add: _Occupation | None = None, remove: _Occupation | None = None) -> None:
        with self._lock:  # a new tuple each time: other threads may be looking at the one before
            kept = tuple(one for one in self._occupations if one is not remove)
            self._occupations = kept if add is None else (*kept, add)

    def _look_elsewhere(self, occupation: _Occupation) -> None:
        """Tell threads of the network's own, whose blocks miss the session, from per-frame calls beside.

        Where every block missed it, that is certain. Where some did, another thread may have run other
        parts of the network per frame by right, so that this is only said.
        """
        missed = sorted(occupation.ran_elsewhere - occupation.ran)
        if missed and not occupation.ran:
            raise RuntimeError(f"the network ran in another thread: {missed[:5]} {_OTHER_THREAD}")
        if missed and not self._has_warned:
            self._has_warned = True
            _log.warning("while a stream or clip ran, %s %s", missed[:5], _OTHER_THREAD)


_OTHER_THREAD = (
    "ran per frame in a thread without its session; a network with threads of its own must run them in "
    "contextvars.copy_context(), and DistributedDataParallel stand for DataParallel"
)

_seated: ContextVar[Mapping[Seat, _Occupation]] = ContextVar("seated", default={})  # noqa: B039, never changed
