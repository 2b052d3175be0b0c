"""Reads folders of classes in place, as ImageNet is laid out: pictures and clips of frames, to a manifest.

    <root>/<split>/<class>/<picture>.png         a still (or .jpg …): a clip of one frame
    <root>/<split>/<class>/<clip>/<frame>.png    a clip; the numbers in the names tell the order

The classes are the folders of the train splits, in order of their names. Every frame of a clip has its class.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from deltadistill.data.faults import raise_faults
from deltadistill.data.label_table import ClassEntry
from deltadistill.data.manifest import DatasetInfo, Frame, Manifest
from deltadistill.preparation.box_clips import held_back
from deltadistill.preparation.class_table import chosen_color
from deltadistill.preparation.picture_faults import first_size, picture_fault
from deltadistill.video.picture_folder import PICTURES, not_read, sort_pictures, unread_pictures


@dataclass(frozen=True)
class _Clip:
    """Pictures in order, and the folders of the split and of the class they lie in."""

    name: str
    split: str
    shown: str
    images: tuple[Path, ...]


def read_image_folder(
    root: Path,
    *,
    kind: str,
    size: tuple[int, int],
    train: Iterable[str],
    tune: Iterable[str],
    test: Iterable[str],
    tune_every: int = 9,
    progress: Callable[[int], object] = lambda frames: None,
) -> Manifest:
    """The manifest of a data set at `root`; no picture is copied.

    `train`, `tune` and `test` name folders of it. Without `tune`, every `tune_every`-th clip of each class of
    the training folders, by name, is tuned on instead of trained on. `size` is the (height, width) that
    pictures are fitted into when they are read. ValueError lists everything that is wrong with the files;
    `progress` is called with frames just looked at.
    """
    root, faults = Path(root), []
    folders = {"train": train, "tune": tune, "test": test}
    clips = [
        clip
        for split, names in folders.items()
        for name in names
        for clip in _read(root, name, split, faults)
    ]
    classes = sorted({clip.shown for clip in clips if clip.split == "train"})
    unknown = sorted({clip.shown for clip in clips} - set(classes))
    faults += [f"class {name} is in no train split ({', '.join(folders['train'])})" for name in unknown]
    if not any(clip.split == "tune" for clip in clips):
        clips = [clip for name in classes for clip in _held_back(clips, name, tune_every, faults)]
    for clip in clips:
        faults += _picture_faults(clip)
        progress(len(clip.images))
    raise_faults(root, faults)
    entries = tuple(ClassEntry(name, chosen_color(number), ()) for number, name in enumerate(classes))
    number_of = {name: float(number) for number, name in enumerate(classes)}
    rows = [
        Frame(clip.name, index, clip.split, image, target=number_of[clip.shown])
        for clip in clips
        for index, image in enumerate(clip.images)
    ]
    info = DatasetInfo(kind, size, entries, source=kind, fit="letterbox", named_task="classification")
    return Manifest.of(rows, info)


def _read(root: Path, folder: str, split: str, faults: list[str]) -> list[_Clip]:
    """All clips of a folder of classes, in order of class and name."""
    classes = _folders(root / folder)
    if not classes:
        faults.append(f"{root / folder} holds no folder of a class ({split})")
    return [clip for place in classes for clip in _of_class(place, folder, split, faults)]


def _of_class(place: Path, folder: str, split: str, faults: list[str]) -> list[_Clip]:
    paths = sorted(path for path in place.iterdir() if not path.name.startswith("."))
    faults += [f"{path}: {not_read(path)}" for path in unread_pictures(paths)]
    named = [(path.stem, (path,)) for path in paths if path.suffix.lower() in PICTURES and path.is_file()]
    for inner in _folders(place):
        try:
            named.append((inner.name, tuple(sort_pictures(inner))))
        except ValueError as error:
            faults.append(str(error))
    if not named:
        faults.append(f"{place} holds no pictures ({', '.join(PICTURES)}) and no folder of a clip")
    return [_Clip(f"{folder}/{place.name}/{name}", split, place.name, images) for name, images in named]


def _folders(place: Path) -> list[Path]:
    if not place.is_dir():
        return []
    return sorted(path for path in place.iterdir() if path.is_dir() and not path.name.startswith("."))


def _held_back(clips: Iterable[_Clip], name: str, every: int, faults: list[str]) -> list[_Clip]:
    """The clips of one class, every `every`-th of those to train on to tune on instead."""
    mine = [clip for clip in clips if clip.shown == name]
    unheard: list[str] = []
    held = held_back((clip.name for clip in mine if clip.split == "train"), every, unheard)
    faults += [f"class {name}: {fault}" for fault in unheard]
    return [replace(clip, split="tune") if clip.name in held else clip for clip in mine]


def _picture_faults(clip: _Clip) -> list[str]:
    """What is wrong with the pictures; those of a clip are of one size."""
    size = first_size(clip.images) or (0, 0)
    return [fault for fault in (picture_fault(image, size) for image in clip.images) if fault]
