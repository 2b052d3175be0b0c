"""Threads that wait for each other spin long on a quiet machine, and briefly while others hold a core.

PyTorch's wheels for Linux carry libgomp. Its threads spin at every barrier before they sleep, and where
another process has one of the cores, they keep the thread that they wait for from the other. How long they
spin is read once, when the library is loaded. But where a process has more threads of libgomp than there are
cores, they spin 100 rounds instead of 300,000, which is looked up at every barrier: one operation on another
thread makes a second team of threads, which does nothing from then on, and goes when its thread ends. What
PyTorch computes does not change, as every operation has as many threads as before.
"""

import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

_log = logging.getLogger(__name__)
_TASKS = Path("/proc/self/task")
_LOOK_S = 0.25
# Cores' worth of waiting for a core: from the first on spin briefly, below the second long again.
_MUCH, _LITTLE = 0.4, 0.2
_SHORTEST_S, _LONGEST_S = 2.0, 60.0  # of spinning briefly; doubled where it was ended too early
_ELEMENTS = 2**20  # of an operation that PyTorch gives to all threads


def watch_spinning() -> None:
    """Begin to watch, in the background and for as long as the process lives."""
    if _TASKS.exists():
        Thread(target=_watch, args=(SpinControl(), waited_s), name="spinning", daemon=True).start()


def waited_s() -> float:
    """Seconds that the threads of this process could have run and had no core, all of them together."""
    return sum(map(_waited_ns, _TASKS.iterdir())) / 1e9


def _waited_ns(task: Path) -> int:
    try:
        return int((task / "schedstat").read_text().split()[1])
    except (OSError, IndexError):  # it has ended meanwhile, or this kernel does not count
        return 0


def _watch(control: "SpinControl", waited: Callable[[], float]) -> None:
    time_before, before = time.monotonic(), waited()
    while True:
        time.sleep(_LOOK_S)
        now, total = time.monotonic(), waited()
        control.see((total - before) / (now - time_before), now)
        time_before, before = now, total


class SpinControl:
    """Decides from how much threads wait for cores whether they spin briefly, and lets them."""

    def __init__(self) -> None:
        self._team: _IdleTeam | None = None
        self._since = self._ended = -_LONGEST_S
        self._hold_s = _SHORTEST_S

    @property
    def is_brief(self) -> bool:
        """Whether threads spin briefly now."""
        return self._team is not None

    def see(self, waiting: float, now: float) -> None:
        """Take in how many cores' worth of waiting there was since the last look, at `now` in seconds."""
        if self._team is None and waiting > _MUCH and _several_threads():
            early = now - self._ended < _SHORTEST_S
            self._hold_s = min(2 * self._hold_s, _LONGEST_S) if early else _SHORTEST_S
            self._team, self._since = _IdleTeam(), now
            _log.debug("another process holds a core: threads spin briefly")
        elif self._team is not None and waiting < _LITTLE and now - self._since > self._hold_s:
            self._team.end()
            self._team, self._ended = None, now


class _IdleTeam:
    """A second team of PyTorch's threads, that sleeps until its end."""

    def __init__(self) -> None:
        self._made, self._over = Event(), Event()
        self._thread = Thread(target=self._live, name="idle team", daemon=True)
        self._thread.start()
        self._made.wait()

    def _live(self) -> None:
        import torch  # loaded already

        torch.zeros(_ELEMENTS).add_(1)
        self._made.set()
        self._over.wait()

    def end(self) -> None:
        self._over.set()
        self._thread.join()


def _several_threads() -> bool:
    """Whether PyTorch is there and computes on several threads."""
    torch = sys.modules.get("torch")
    return torch is not None and hasattr(torch, "get_num_threads") and torch.get_num_threads() > 1
