"""The time that may be spent: nothing is begun that would not end within it."""

import time
from collections.abc import Callable

_OPENING, _OF_LEFT = 20.0, 0.25  # seconds at least, and share of the time that is left
_TIMES, _OF_ALL = 4.0, 1 / 40  # seconds at most that times of a trial are measured for, and share of all
_KEPT_BACK = 0.3  # of all, at most, for the end


class Budget:
    """So many seconds from now on, some of them kept back for what comes at the end."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic):
        self.seconds, self._clock, self._begun = seconds, clock, clock()
        self.reserve = 0.0

    def now(self) -> float:
        """Seconds since it began."""
        return self._clock() - self._begun

    def left(self) -> float:
        """Seconds that are left before the end has to begin; below 0 where there are none."""
        return self.seconds - self.reserve - self.now()

    def allows(self, seconds: float) -> bool:
        """Whether something that takes about so long ends in time."""
        return seconds <= self.left()

    def for_passes(self, seconds: float) -> Callable[[], bool]:
        """What says, asked before each of several passes, whether it ends in time.

        seconds: that the first is expected to take; later ones are, as long as the longest so far.
        """
        expected, begun = seconds, self.now()

        def allowed() -> bool:
            nonlocal expected, begun
            now = self.now()
            expected, begun = max(expected, now - begun), now
            return self.allows(expected)

        return allowed

    def for_times(self) -> float:
        """Seconds for times of one trial: less where there is little time at all."""
        return min(_TIMES, _OF_ALL * self.seconds)

    def keep_back(self, seconds: float) -> None:
        """Keep so much for the end, which is begun when no more is left."""
        self.reserve = min(_KEPT_BACK * self.seconds, seconds)

    def for_an_opening(self) -> float:
        """Seconds for an engine to open graphs: one that hangs leaves most of the time to the others."""
        return max(_OPENING, _OF_LEFT * self.left())

    def told(self) -> str:
        """The whole time that is left, as minutes and seconds."""
        left = max(0, round(self.seconds - self.now()))
        return f"{left // 60}:{left % 60:02d} left"
