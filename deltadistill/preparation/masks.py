"""Frames and label images of one's own, read where they lie: a folder per clip, labels by the same names.

<frames>/<clip>/<frame>.png or .jpg …       in natural order: 2 comes before 10
<labels>/<clip>/<frame>.png                 8-bit grey, a label id per pixel
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from deltadistill.data.faults import raise_faults
from deltadistill.data.label_table import ClassEntry
from deltadistill.data.manifest import DatasetInfo, Frame, Manifest
from deltadistill.preparation.box_clips import held_back
from deltadistill.preparation.mask_faults import label_fault
from deltadistill.preparation.picture_faults import first_size, picture_fault
from deltadistill.video.picture_folder import PICTURES, not_read, unread_pictures


@dataclass(frozen=True)
class MaskFolders:
    """A folder of clips, and the one with their label images; `clips`: those that are meant, None: all."""

    frames: Path
    labels: Path
    clips: tuple[str, ...] | None = None

    def is_meant(self, place: Path) -> bool:
        """Whether a folder is one of them."""
        return self.clips is None or place.name in self.clips


@dataclass(frozen=True)
class _Clip:
    """Frames in order, each with its label image or None."""

    name: str
    split: str
    frames: tuple[tuple[Path, Path | None], ...]


def read_masks(
    folders: Mapping[str, Iterable[MaskFolders]],
    *,
    kind: str,
    classes: tuple[ClassEntry, ...],
    ignore: Collection[int] = (255,),
    every_frame: bool = True,
    tune_every: int = 9,
    workers: int = 1,
    progress: Callable[[int], object] = lambda frames: None,
) -> Manifest:
    """The manifest of the folders of each split; nothing is copied.

    Without folders for `tune`, every `tune_every`-th clip of `train`, by name, is tuned on instead.
    ignore: label ids that may occur and count as no class. every_frame: whether a frame must have a label.
    workers: threads that look at the pictures. progress: is told of every frame that was looked at.
    ValueError lists everything that is wrong, by file.
    """
    faults: list[str] = []
    clips = [
        clip
        for split, entries in folders.items()
        for entry in entries
        for clip in _clips(entry, split, every_frame, faults)
    ]
    if not any(clip.split == "tune" for clip in clips):
        held = held_back((clip.name for clip in clips if clip.split == "train"), tune_every, faults)
        clips = [replace(clip, split="tune") if clip.name in held else clip for clip in clips]
    counted = Counter(clip.name for clip in clips)
    faults += [f"{n} clips are named {name}; rename one" for name, n in counted.items() if n > 1]
    allowed = {*ignore, *(given for entry in classes for given in entry.label_ids)}
    size = first_size(image for clip in clips for image, _ in clip.frames) or (0, 0)
    faults += _picture_faults(clips, size, allowed, workers, progress)
    raise_faults("the data set of frames and label images", faults)
    rows = [
        Frame(clip.name, index, clip.split, image, label)
        for clip in clips
        for index, (image, label) in enumerate(clip.frames)
    ]
    return Manifest.of(rows, DatasetInfo(kind, size, classes, source=kind))


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """What to sort by, so that numbers in names are in order of their values."""
    parts = re.split(r"(\d+)", name, flags=re.ASCII)
    return tuple((1, int(part), "") if place % 2 else (0, 0, part) for place, part in enumerate(parts))


def _clips(folders: MaskFolders, split: str, every_frame: bool, faults: list[str]) -> list[_Clip]:
    places = [place for place in _subfolders(folders.frames) if folders.is_meant(place)]
    lacking = sorted({*(folders.clips or ())} - {place.name for place in places})
    faults += [f"{folders.frames / name}, a clip that a list names, is missing" for name in lacking]
    if not places:
        faults.append(f"no folder of a clip in {folders.frames} ({split})")
    labelled = {place.name for place in _subfolders(folders.labels) if folders.is_meant(place)}
    without = sorted(labelled - {place.name for place in places})
    faults += [f"{folders.labels / name} has labels of no clip in {folders.frames}" for name in without]
    return [
        _Clip(place.name, split, _frames(place, folders.labels / place.name, every_frame, faults))
        for place in places
    ]


def _frames(
    place: Path, labels: Path, every_frame: bool, faults: list[str]
) -> tuple[tuple[Path, Path | None], ...]:
    images = sorted(_pictures(place), key=lambda path: natural_key(path.stem))
    unread = unread_pictures(sorted(place.iterdir()))
    if unread:
        faults.append(f"{unread[0]}: {not_read(unread[0])}")
    elif not images:
        faults.append(f"{place} holds no pictures ({', '.join(PICTURES)})")
    faults += [
        f"{before} and {after.name} stand for the same frame; remove or rename one"
        for before, after in pairwise(images)
        if natural_key(before.stem) == natural_key(after.stem)
    ]
    found = {path.stem: path for path in _pictures(labels) if path.suffix.lower() == ".png"}
    if every_frame:
        missing = [image for image in images if image.stem not in found]
        faults += [f"{labels / image.stem}.png, the label image of {image}, is missing" for image in missing]
    strangers = sorted(found.keys() - {image.stem for image in images}, key=natural_key)
    faults += [f"{found[stem]} is the label image of no frame in {place}" for stem in strangers]
    return tuple((image, found.get(image.stem)) for image in images)


def _picture_faults(
    clips: Iterable[_Clip],
    size: tuple[int, int],
    allowed: Collection[int],
    workers: int,
    progress: Callable[[int], object],
) -> list[str]:
    """What is wrong inside the pictures, in order."""

    def look(pair: tuple[Path, Path | None]) -> list[str | None]:
        image, label = pair
        return [picture_fault(image, size), label_fault(label, size, allowed) if label else None]

    found: list[str] = []
    with ThreadPoolExecutor(workers) as pool:
        for faults in pool.map(look, (pair for clip in clips for pair in clip.frames)):
            found += [fault for fault in faults if fault]
            progress(1)
    return found


def _subfolders(place: Path) -> list[Path]:
    if not place.is_dir():
        return []
    inside = (path for path in place.iterdir() if path.is_dir() and not path.name.startswith("."))
    return sorted(inside, key=lambda path: natural_key(path.name))


def _pictures(place: Path) -> list[Path]:
    if not place.is_dir():
        return []
    inside = (path for path in place.iterdir() if not path.name.startswith("."))
    return [path for path in inside if path.suffix.lower() in PICTURES]
