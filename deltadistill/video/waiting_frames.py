"""Frames of a live source that wait to be taken: a few at most, the rest is dropped as agreed and counted."""

from collections import deque
from collections.abc import Callable, Iterator
from threading import Condition, Thread
from typing import Generic, TypeVar

from deltadistill.video.source import Patience

Item = TypeVar("Item")


class WaitingFrames(Generic[Item]):
    """A thread of its own reads a source into a short queue; iterating takes from it until the end."""

    def __init__(self, read: Callable[["WaitingFrames[Item]"], None], patience: Patience):
        """read: is called in the thread; it calls `put` for each frame, and ends when `stopped` is true."""
        self._patience = patience
        self._waiting: deque[tuple[Item, bool]] = deque()
        self._lost_gap = False  # of a frame that was dropped; the next one follows the gap too
        self._changed = Condition()
        self._ended = False
        self._error: BaseException | None = None
        self.stopped = False
        self.dropped = 0
        self._thread = Thread(target=self._read, args=(read,), daemon=True, name="live source")
        self._thread.start()

    def put(self, item: Item, *, after_gap: bool = False) -> None:
        """Let a frame wait; one too many is dropped, or with "none" waited for.

        after_gap: whether something before it is missing; the next frame tells it where this one is dropped.
        """
        with self._changed:
            if self._patience.drop == "none":
                self._changed.wait_for(lambda: self._has_room() or self.stopped)
            elif not self._has_room():
                self.dropped += 1
                if self._patience.drop == "newest":
                    self._lost_gap |= after_gap
                    return
                self._drop_oldest()
            self._waiting.append((item, after_gap or self._lost_gap))
            self._lost_gap = False
            self._changed.notify_all()

    def _drop_oldest(self) -> None:
        _, after_gap = self._waiting.popleft()
        if after_gap and self._waiting:
            self._waiting[0] = (self._waiting[0][0], True)
        else:
            self._lost_gap |= after_gap

    def pause(self, seconds: float) -> None:
        """Wait so long, or until nothing more is wanted."""
        with self._changed:
            self._changed.wait_for(lambda: self.stopped, timeout=seconds)

    def __iter__(self) -> Iterator[tuple[Item, bool]]:
        """Frames as they come, and whether each follows a gap.

        An error of the reader is raised when those before it are taken.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended or self.stopped)
                if self.stopped:
                    return
                if not self._waiting:
                    break
                item = self._waiting.popleft()
                self._changed.notify_all()
            yield item
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Nothing more is wanted; the reader ends after the frame that it waits for."""
        with self._changed:
            self.stopped = True
            self._changed.notify_all()

    def _has_room(self) -> bool:
        return len(self._waiting) < self._patience.waiting

    def _read(self, read: Callable[["WaitingFrames[Item]"], None]) -> None:
        try:
            read(self)
        except BaseException as error:  # raised where the frames are taken
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify_all()
