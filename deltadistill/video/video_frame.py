"""What a reader of videos gives: frames with their times, and what it noticed that they do not show."""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

Damaged = Literal["stop", "skip"]
Uneven = Literal["stop", "keep"]
_SHOWN = 5  # places of damage named; the rest is only counted


class VideoFrame(NamedTuple):
    """A frame: pixels uint8 RGB (H, W, 3), as a player shows them.

    `seconds` is when it is shown, from an origin of the video's own; None where the source has no times.
    `follows_gap` says that something before it is missing, so that no sequence may reach over it.
    `number` is its place in the source, from 0; frames that were left out count.
    """

    pixels: np.ndarray
    seconds: float | None = None
    follows_gap: bool = False
    number: int = 0


@dataclass
class Noticed:
    """Filled while a video is read: the choice of its stream, and what of it was left out as damaged.

    `skipped` counts frames that could not be decoded or that depend on such; `places` says after which each
    gap begins, `chosen` and `cut_off` what is to be said of the choice of a stream and of a missing end.
    """

    skipped: int = 0
    places: list[str] = field(default_factory=list)
    chosen: str | None = None
    cut_off: str | None = None

    def skip(self, place: str, *, first: bool) -> None:
        """Count a frame left out; `first`: of those at `place`."""
        self.skipped += 1
        if first:
            self.places.append(place)

    def notes(self) -> tuple[str, ...]:
        """What there is to say, in words."""
        return tuple(note for note in (self.chosen, self._damage(), self.cut_off) if note)

    def _damage(self) -> str | None:
        if not self.skipped:
            return None
        more = f" and {len(self.places) - _SHOWN} more" if len(self.places) > _SHOWN else ""
        frames = f"{self.skipped} damaged frame{'s' if self.skipped > 1 else ''} left out"
        gaps = f"{len(self.places)} gap{'s' if len(self.places) > 1 else ''}"
        return f"{frames}, {gaps}: {', '.join(self.places[:_SHOWN])}{more}"
