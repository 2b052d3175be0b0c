"""How often unfinished work is kept."""

import time


class Interval:
    """A span of minutes that begins when this is made, and anew with every `begin`."""

    def __init__(self, minutes: float):
        self._minutes = minutes
        self.begin()

    def begin(self) -> None:
        """Begin anew."""
        self._begun = time.monotonic()

    def is_over(self, *, ahead: float = 0.0) -> bool:
        """Whether the minutes have passed, or will have in `ahead` seconds."""
        return time.monotonic() + ahead - self._begun > 60 * self._minutes
