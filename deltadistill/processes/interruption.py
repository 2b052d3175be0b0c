"""Signals that ask for a stop, held back until a step or batch is whole and what was done can be kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIGINT, SIGTERM, SIGUSR1, Signals, signal
from threading import current_thread, main_thread
from typing import Any

from deltadistill.processes.group import ALONE, Group

STOPPING = (SIGINT, SIGTERM, SIGUSR1)  # Ctrl-C, a scheduler's end, and the warning that Slurm sends before it


class Interrupted(Exception):  # noqa: N818 - not a fault
    """A signal came during what may be broken off (see Interruption.at_once)."""


class Interruption:
    """Notes the first of the signals STOPPING; a second one ends the process at once.

    A context manager; outside the main thread, where Python delivers no signals, it notes nothing.
    group: the processes that stop together. In one of several a second signal is the first once more, from
        the scheduler and through the launcher; and what the others wait for is not broken off at once.
    """

    def __init__(self, group: Group = ALONE):
        self.came: Signals | None = None
        self._group = group
        self._at_once = False
        self._before: dict[int, Any] = {}

    def __enter__(self):
        if current_thread() is main_thread():
            self._before = {number: signal(number, self._note) for number in STOPPING}
        return self

    def __exit__(self, *exception: object):
        for number, handler in self._before.items():
            signal(number, handler)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Inside, a signal raises Interrupted where it comes; for what can be begun anew later."""
        self._at_once = self._group.size == 1
        try:
            if self.came:
                raise Interrupted
            yield
        finally:
            self._at_once = False

    def agree(self) -> None:
        """Raise Interrupted in all processes, which call this together, where any of them got a signal."""
        number = self._group.largest(self.came or 0)
        if number:
            self.came = Signals(number)
            raise Interrupted

    def stop(self) -> None:
        """End the process as the signal asks: KeyboardInterrupt, or exit code 128 + its number."""
        if self.came == SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + self.came)

    def _note(self, number: int, frame: object) -> None:
        if self.came and self._group.size == 1:
            raise SystemExit(128 + number)
        self.came = self.came or Signals(number)
        if self._at_once:
            raise Interrupted
