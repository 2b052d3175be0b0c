"""Steps that overlap: each iterable runs in a thread of its own, a few items ahead of whoever takes them."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Generic, TypeVar

Item = TypeVar("Item")
_LOOK = 0.1  # seconds between looks whether to stop


class Ahead(Generic[Item]):
    """Iterates over `items` in a thread, at most `ahead` of them before they are taken.

    An error in the thread is raised where the items are taken, after those before it. Closing ends the
    thread, and closes `items` in it where these can be closed. Of steps in a row close the first one first.
    """

    def __init__(self, items: Iterable[Item], *, ahead: int = 2, name: str = "ahead"):
        if ahead < 1:
            raise ValueError(f"ahead is {ahead}; expected at least 1")
        self._items = items
        self._made: Queue[tuple[bool, Item | BaseException | None]] = Queue(ahead)
        self._stop = Event()
        self._thread = Thread(target=self._run, daemon=True, name=name)
        self._thread.start()

    def __iter__(self) -> Iterator[Item]:
        """Take the items in order."""
        while True:
            is_item, content = self._made.get()
            if is_item:
                yield content
                continue
            self._made.put((False, None))  # for whoever asks again
            if content is not None:
                raise content
            return

    def close(self) -> None:
        """Stop, and wait until the thread has let go of what it reads."""
        self._stop.set()
        while self._thread.is_alive():
            with suppress(Empty):
                self._made.get_nowait()
            self._thread.join(_LOOK)
        with suppress(Empty):
            while True:
                self._made.get_nowait()
        self._made.put((False, None))  # for a thread that still waits for an item

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._items:
                if not self._put((True, item)):
                    break
        except BaseException as raised:  # raised where the items are taken
            error = raised
        finally:
            with suppress(Exception):
                if hasattr(self._items, "close"):
                    self._items.close()
        self._put((False, error))

    def _put(self, made: tuple[bool, Item | BaseException | None]) -> bool:
        """Whether it was wanted."""
        while not self._stop.is_set():
            with suppress(Full):
                self._made.put(made, timeout=_LOOK)
                return True
        return False
