"""A teacher that labels on a thread of its own while the student goes on, so that labels come late."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from torch import Tensor


class LateTeacher:
    """One frame at a time is with the teacher; its output is asked for `lag` frames later, and waited for.

    So what a stream answers does not depend on how fast the teacher is, only when. Where the teacher takes
    longer than `lag` frames do, the stream waits for it.
    """

    def __init__(self, label: Callable[[Tensor], Any], lag: int):
        self._label, self._lag = label, lag
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="online-teacher")
        self.forget()

    def forget(self) -> None:
        """Begin another stream."""
        self._frame: Tensor | None = None
        self._output: Future[Any] | None = None
        self._frames_left = 0

    @property
    def is_busy(self) -> bool:
        """Whether a frame is with it."""
        return self._frame is not None

    def ask(self, frame: Tensor) -> None:
        """Give it a frame."""
        self._give(frame.detach().clone(), self._lag)

    def _give(self, frame: Tensor, frames_left: int) -> None:
        self._frame, self._frames_left = frame, frames_left
        self._output = self._threads.submit(self._label, frame)

    def passed(self) -> tuple[Tensor, Future[Any]] | None:
        """Another frame was answered; the labelled frame and its output where that is now due."""
        if self._frame is None or self._output is None:
            return None
        self._frames_left -= 1
        if self._frames_left > 0:
            return None
        found = self._frame, self._output
        self._frame = self._output = None
        return found

    def state(self) -> dict[str, Any]:
        """What `resume` goes on from: the frame, which the teacher is to label again."""
        return {"frame": self._frame, "frames_left": self._frames_left}

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.forget()
        if state["frame"] is not None:
            self._give(state["frame"], state["frames_left"])
