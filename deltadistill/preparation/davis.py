"""Reads a data set in the layout of DAVIS 2016, in place: one object's mask on every frame.

JPEGImages/<resolution>/<clip>/<frame>.jpg
Annotations/<resolution>/<clip>/<frame>.png     0 is the background, 255 the object
ImageSets/<lists>/<list>.txt                    of a split: pairs of such paths, or names of clips
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from deltadistill.data.faults import raise_faults
from deltadistill.data.label_table import ClassEntry
from deltadistill.data.manifest import Manifest
from deltadistill.files.limits import MOST_TABLE_BYTES
from deltadistill.files.text import read_text
from deltadistill.preparation.masks import MaskFolders, read_masks

CLASSES = (ClassEntry("background", (0, 0, 0), (0,)), ClassEntry("object", (220, 20, 60), (255,)))


def read_davis(
    root: Path,
    *,
    train: Iterable[str],
    tune: Iterable[str] = (),
    test: Iterable[str],
    resolution: str = "480p",
    lists: str = "480p",
    tune_every: int = 9,
    workers: int = 1,
    progress: Callable[[int], object] = lambda frames: None,
) -> Manifest:
    """The manifest of the clips that the lists of each split name; nothing is copied.

    train, tune, test: names of lists, such as train and val. lists: their folder below ImageSets, 480p or
    1080p in DAVIS 2016, and 2016 where DAVIS 2017 has the same split. Without `tune`, every `tune_every`-th
    clip to train on, by name, is tuned on instead.
    ValueError lists everything that is wrong, by file.
    """
    faults: list[str] = []
    place = root / "ImageSets" / lists
    named = {
        split: [clip for name in names for clip in _clips_of(place / f"{name}.txt", faults)]
        for split, names in (("train", train), ("tune", tune), ("test", test))
    }
    raise_faults(root, faults)
    frames, labels = root / "JPEGImages" / resolution, root / "Annotations" / resolution
    folders = {
        split: [MaskFolders(frames, labels, tuple(dict.fromkeys(clips)))] if clips else []
        for split, clips in named.items()
    }
    return read_masks(
        folders, kind="davis", classes=CLASSES, ignore=(), tune_every=tune_every, workers=workers,
        progress=progress,
    )  # fmt: skip


def _clips_of(path: Path, faults: list[str]) -> list[str]:
    """The clips of a list, each where it is named first."""
    if not path.is_file():
        faults.append(f"no list {path}")
        return []
    lines = read_text(path, most_bytes=MOST_TABLE_BYTES, remedy="copy it again").split("\n")
    found = []
    for number, line in enumerate((line.strip() for line in lines), start=1):
        parts = line.split(" ")[0].strip("/").split("/")
        if not line:
            continue
        if len(parts) not in (1, 4) or not parts[-1 if len(parts) == 1 else -2]:
            faults.append(f"{path}, line {number}: neither a clip nor a frame of one: {line[:60]!r}")
            continue
        found.append(parts[0] if len(parts) == 1 else parts[2])
    if not found:
        faults.append(f"{path} names no clip")
    return list(dict.fromkeys(found))
