"""Writes the frames of one video at the working size, by shot, with what else there is to know of them."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np

from deltadistill.data.frame_times import frames_per_second
from deltadistill.preparation.clip_gaps import long_steps
from deltadistill.preparation.encoded_picture import write_picture
from deltadistill.video.picture_folder import Numbers
from deltadistill.video.shots import ShotDetector
from deltadistill.video.video_frame import Damaged, Noticed
from deltadistill.video.video_source import read_video

log = logging.getLogger(__name__)

_SMALLEST = 2  # pixels a side of a window that can show anything
_SHOWN = 5  # long steps named; the rest is only counted


Fit = Literal["window", "stretch"]


class Window(NamedTuple):
    """Part of a picture, pixels."""

    left: int
    top: int
    width: int
    height: int


class Taken(NamedTuple):
    """Where a frame is from: its number in the video, from 0, and the part of the picture that it shows."""

    number: int
    window: Window


@dataclass(frozen=True)
class Reading:
    """How videos are read.

    `max_frames` of each, None for all. `damaged` "skip" leaves out frames that cannot be decoded. `numbers`
    is what the numbers in the names of a folder's pictures count. A frame that comes more than `max_step`
    median steps after the one before begins a new clip; None: only where frames were left out. `fit`
    "window": of each frame the largest centred window of the working size's shape; "stretch": all of it.
    """

    max_frames: int | None = None
    damaged: Damaged = "stop"
    numbers: Numbers = "frames"
    max_step: float | None = 4.0
    fit: Fit = "window"


READ_WHOLE = Reading()


@dataclass
class Extracted:
    """Frames of a video that were written, by shot, with their times (of all or none) and what was noticed.

    `after_loss` are those before which some were left out, `long_steps` those that come so many seconds
    after the one before that something is missing. `taken` says where each is from.
    """

    shots: list[list[Path]] = field(default_factory=lambda: [[]])
    times: dict[Path, float] = field(default_factory=dict)
    after_loss: set[Path] = field(default_factory=set)
    long_steps: dict[Path, float] = field(default_factory=dict)
    noticed: Noticed = field(default_factory=Noticed)
    taken: dict[Path, Taken] = field(default_factory=dict)

    def frames_per_second(self) -> float | None:
        """1 / the median step; None without times."""
        return frames_per_second([*self.times.values()])

    def notes(self) -> tuple[str, ...]:
        """What there is to say of how it was read, in words."""
        if not self.long_steps:
            return self.noticed.notes()
        count, steps = len(self.long_steps), [f"{step:.2f} s" for step in self.long_steps.values()]
        more = f" and {count - _SHOWN} more" if count > _SHOWN else ""
        usual = 1 / (self.frames_per_second() or 1)
        said = f"{count} gap{'s' if count > 1 else ''} in time, median step {usual:.3f} s"
        return (*self.noticed.notes(), f"{said}: {', '.join(steps[:_SHOWN])}{more}")

    def gaps(self) -> set[Path]:
        """The frames before which a clip ends."""
        return self.after_loss | self.long_steps.keys()


def extract(
    source: Path,
    folder: Path,
    size: tuple[int, int],
    threshold: float,
    reading: Reading,
    progress: Callable[[int], object],
) -> Extracted:
    """Write the frames of one video; its notes go to the log."""
    detector, found = ShotDetector(threshold), Extracted()
    options = {"max_frames": reading.max_frames, "damaged": reading.damaged, "numbers": reading.numbers}
    times: list[tuple[Path, float | None]] = []
    for frame in read_video(source, **options, noticed=found.noticed):
        window = window_of(frame.pixels.shape[:2], size, reading.fit)
        _require_something(source, frame.pixels, window, size)
        small = scaled(frame.pixels, window, size)
        if detector.begins_shot(small):
            found.shots.append([])
        path = folder / f"shot_{len(found.shots) - 1:02d}" / f"{len(found.shots[-1]):06d}.png"
        write_picture(path, small, [cv2.IMWRITE_PNG_COMPRESSION, 3])
        found.shots[-1].append(path)
        found.taken[path] = Taken(frame.number, window)
        times.append((path, frame.seconds))
        if frame.follows_gap:
            found.after_loss.add(path)
        progress(1)
    found.times = _rising(times, source)
    found.long_steps = long_steps(found.times, reading.max_step)
    for note in found.notes():
        log.warning("%s: %s", source, note)
    return found


def _rising(times: list[tuple[Path, float | None]], source: Path) -> dict[Path, float]:
    """Seconds since the first frame; none where the source has no times, or some that do not rise."""
    if any(seconds is None for _, seconds in times):
        return {}
    start = times[0][1]
    since = {path: round(seconds - start, 9) for path, seconds in times}
    if any(after <= before for before, after in pairwise(since.values())):
        log.warning("%s: the times of its frames do not rise; they are left out", source)
        return {}
    return since


def _require_something(source: Path, frame: np.ndarray, window: Window, size: tuple[int, int]) -> None:
    height, width = frame.shape[:2]
    if min(window.height, window.width) < _SMALLEST:
        raise ValueError(
            f"{source} is {height}×{width} pixels; its largest window of the shape {size[0]}×{size[1]} is "
            f"{window.height}×{window.width}, and at least {_SMALLEST} pixels a side are needed; give a "
            "larger video"
        )


def scaled(frame: np.ndarray, window: Window, size: tuple[int, int]) -> np.ndarray:
    """The window of a frame, scaled to `size`: uint8 (H, W, 3) → (h, w, 3)."""
    left, top, width, height = window
    shown = np.ascontiguousarray(frame[top : top + height, left : left + width])
    way = cv2.INTER_AREA if height > size[0] else cv2.INTER_CUBIC
    return cv2.resize(shown, size[::-1], interpolation=way)


def window_of(picture: tuple[int, int], size: tuple[int, int], fit: Fit = "window") -> Window:
    """What of a picture (height, width) frames of `size` show: see `Reading`."""
    height, width = picture
    if fit == "stretch":
        return Window(0, 0, width, height)
    scale = min(height / size[0], width / size[1])
    tall, wide = min(height, round(size[0] * scale)), min(width, round(size[1] * scale))
    return Window((width - wide) // 2, (height - tall) // 2, wide, tall)
