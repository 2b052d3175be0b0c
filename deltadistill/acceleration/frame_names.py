"""Which frame of a video a file of ground truth is about, by its name."""

import re
from collections.abc import Callable
from pathlib import Path

from deltadistill.video.picture_folder import places_of

FrameOf = Callable[[str], int]
"""The number of a frame, from 0, by the name of a file; ValueError for a name that tells none."""


def frame_of(video: str) -> FrameOf:
    """Of a folder: the picture of that name, whatever its ending. Of a file: the number at the name's end."""
    if not Path(video).expanduser().is_dir():
        return _by_number
    places = places_of(Path(video).expanduser())

    def of(name: str) -> int:
        stem = Path(name).stem
        if stem not in places:
            raise ValueError(
                f"{name} names no picture of {video}; expected names like {next(iter(places))!r}"
            )
        return places[stem]

    return of


def _by_number(name: str) -> int:
    found = re.search(r"(\d{1,12})\D*$", Path(name).stem, re.ASCII)
    if found is None:
        raise ValueError(f"{name} has no number to tell which frame it is, from 0, as results have")
    return int(found[1])
