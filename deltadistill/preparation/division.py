"""Divides the clips of videos into splits, in order of time, as close to the wanted shares as shots allow."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from deltadistill.data.manifest import SPLITS

log = logging.getLogger(__name__)

_TOLERANCE = 0.15  # of all frames, by which a split may end too early or too late before a shot is cut


@dataclass(frozen=True)
class Division:
    """Shares of the frames, in order of time, to train and to tune on; the rest is tested on.

    A shot shorter than `min_frames` is left out; none is cut into shorter clips.
    """

    train: float
    tune: float
    min_frames: int

    def __post_init__(self):
        if self.train <= 0 or self.tune <= 0 or self.train + self.tune >= 1:
            raise ValueError(
                f"train {self.train}, tune {self.tune}: each split needs a share above 0, together below 1"
            )


@dataclass(frozen=True)
class Clip:
    """Consecutive frames of one shot."""

    name: str
    frames: tuple[Path, ...]

    def halves(self) -> "tuple[Clip, Clip]":
        """Two clips of it, the earlier first."""
        middle = len(self.frames) // 2
        stem = self.name if "_part_" in self.name else f"{self.name}_part_"
        return Clip(stem + "a", self.frames[:middle]), Clip(stem + "b", self.frames[middle:])


def divide_videos(videos: Mapping[str, Sequence[Clip]], division: Division) -> dict[str, list[Clip]] | None:
    """Split → clips, where every video gives some to each split; None where there are too few frames.

    A video too short for that is trained on. Where all are, they are divided together, as if they were one.
    """
    divided = {title: divide(clips, division) for title, clips in videos.items()}
    if len(videos) == 1 or not any(divided.values()):
        return divide([clip for clips in videos.values() for clip in clips], division)
    splits: dict[str, list[Clip]] = {split: [] for split in SPLITS}
    for title, parts in divided.items():
        if parts is None:
            text = "%s: too short for a clip of %d frames in each split; all of it is trained on"
            log.warning(text, title, division.min_frames)
        for split, members in (parts or {"train": videos[title]}).items():
            splits[split] += members
    return splits


def divide(clips: Sequence[Clip], division: Division) -> dict[str, list[Clip]] | None:
    """Split → clips, in order of time, none empty, as close to the wanted shares as whole clips allow.

    None where they are too few and too short for that. Where there are too few clips, or too long ones, the
    longest is halved, again and again.
    """
    clips = list(clips)
    while True:
        ends, error = _nearest_ends([len(clip.frames) for clip in clips], division)
        if error <= _TOLERANCE:
            break
        longest = max(range(len(clips)), key=lambda number: len(clips[number].frames), default=None)
        if longest is None or len(clips[longest].frames) < 2 * division.min_frames:
            break
        clips[longest : longest + 1] = clips[longest].halves()
    if len(clips) < len(SPLITS):
        return None
    return {"train": clips[: ends[0]], "tune": clips[ends[0] : ends[1]], "test": clips[ends[1] :]}


def _nearest_ends(lengths: list[int], division: Division) -> tuple[tuple[int, int], float]:
    """How many clips lie before the end of train and of tune, and by what share the worse of them is off."""
    if len(lengths) < len(SPLITS):
        return (0, 0), 1.0
    total, passed = sum(lengths), list(accumulate(lengths))

    def error(count: int, share: float) -> float:
        return abs(passed[count - 1] / total - share)

    train, both = division.train, division.train + division.tune
    first = min(range(1, len(lengths) - 1), key=lambda count: error(count, train))
    second = min(range(first + 1, len(lengths)), key=lambda count: error(count, both))
    return (first, second), max(error(first, train), error(second, both))
