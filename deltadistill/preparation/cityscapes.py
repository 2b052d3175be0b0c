"""Reads a folder in the layout of Cityscapes, in place: snippets of frames with labels, to a manifest.

    leftImg8bit_sequence/<folder>/<city>/<city>_<seq>_<frame>_leftImg8bit.png
    gtFine/<folder>/<city>/<city>_<seq>_<frame>_gtFine_labelIds.png
    flow/…_flow.npz and boxes/…/<city>_<seq>_boxes.json     only in generated data sets
    leftImg8bit/ and gtCoarse/                              stills to train on (cityscapes_coarse.py)

In the real data set one <seq> may hold many snippets, so a snippet is found by its label: 30 frames of which
the one with index 19 is labelled.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from deltadistill.data.faults import raise_faults
from deltadistill.data.label_table import ClassEntry
from deltadistill.data.manifest import DatasetInfo, Frame, Manifest
from deltadistill.data.picture_end import png_has_end
from deltadistill.data.picture_size import picture_size
from deltadistill.preparation.cityscapes_coarse import read_coarse

_NAME = re.compile(
    r"(?P<city>[^_]+)_(?P<seq>\d{6})_(?P<frame>\d{6})_(?P<kind>leftImg8bit|gtFine_labelIds)\.png"
)


@dataclass(frozen=True)
class Layout:
    """How snippets are cut: `frames` in each, of which the one at index `labelled` has a label; None: all."""

    frames: int = 30
    labelled: int | None = 19


@dataclass
class _Sequence:
    """What is there of one <city>_<seq>: frame number → file."""

    images: dict[int, Path] = field(default_factory=dict)
    labels: dict[int, Path] = field(default_factory=dict)


def read_cityscapes(
    root: Path,
    *,
    kind: str,
    classes: tuple[ClassEntry, ...],
    layout: Layout,
    train: Iterable[str],
    tune: Iterable[str],
    test: Iterable[str],
    tune_every: int = 9,
    coarse: Iterable[str] = (),
) -> Manifest:
    """The manifest of a data set at `root`; nothing is copied.

    `train`, `tune`, `test` name folders of the layout (Cityscapes has train, val and test). Without `tune`,
    every `tune_every`-th city of the training folders, by name, is tuned on instead of trained on.
    coarse: folders of coarsely labelled stills to train on as well (Cityscapes has train_extra).
    ValueError lists by name everything that is missing, superfluous or of another size.
    """
    root = Path(root)
    train, tune, test, coarse = map(tuple, (train, tune, test, coarse))
    faults = [
        f"{folder} is named in coarse and elsewhere: its pictures are in its snippets already"
        for folder in coarse
        if folder in (*train, *tune, *test)
    ]
    frames: list[Frame] = []
    for split, folder, city in _cities(root, train, tune, test, tune_every, faults):
        frames += _read_city(root, split, folder, city, layout, faults)
    frames += read_coarse(root, coarse, faults)
    size = _common_size(frames, faults)
    raise_faults(root, faults)
    has_flow = any(frame.flow for frame in frames)
    if kind == "generated":
        frames = [replace(frame, origin="generated") for frame in frames]
    return Manifest.of(frames, DatasetInfo(kind, size, classes, "exact" if has_flow else None, source=kind))


def _cities(
    root: Path, train: tuple, tune: tuple, test: tuple, tune_every: int, faults: list[str]
) -> list[tuple]:
    """(split, folder, city) of everything to read."""
    found = []
    for split, folders in (("train", train), ("tune", tune), ("test", test)):
        for folder in folders:
            place = root / "leftImg8bit_sequence" / folder
            cities = (
                sorted(entry.name for entry in place.iterdir() if entry.is_dir()) if place.is_dir() else []
            )
            if not cities:
                faults.append(f"no folder of a city in {place}")
            found += [(split, folder, city) for city in cities]
    training = [entry for entry in found if entry[0] == "train"]
    if not tune and training:
        if len(training) < 2:
            faults.append(f"{len(training)} city to train on, none left to tune on; name folders in tune")
        tuned = training[tune_every - 1 :: tune_every] or training[-1:]
        found = [("tune", *entry[1:]) if entry in tuned else entry for entry in found]
    return found


def _read_city(
    root: Path, split: str, folder: str, city: str, layout: Layout, faults: list[str]
) -> list[Frame]:
    sequences: dict[str, _Sequence] = defaultdict(_Sequence)
    for top, kind in (("leftImg8bit_sequence", "leftImg8bit"), ("gtFine", "gtFine_labelIds")):
        place = root / top / folder / city
        for path in sorted(place.glob(f"*_{kind}.png")):
            match = _NAME.fullmatch(path.name)
            if not match or match["city"] != city:
                faults.append(f"{path} is not named {city}_<6 digits>_<6 digits>_{kind}.png")
                continue
            sequence = sequences[match["seq"]]
            files = sequence.images if kind == "leftImg8bit" else sequence.labels
            files[int(match["frame"])] = path
    frames = []
    for seq, sequence in sorted(sequences.items()):
        name = f"{city}_{seq}"
        starts = _snippet_starts(name, sequence, layout, faults)
        for start in starts:
            frames += _snippet(root, split, folder, name, start, sequence, layout, faults)
        _report_left_over(name, sequence, starts, layout, faults)
    return frames


def _snippet_starts(name: str, sequence: _Sequence, layout: Layout, faults: list[str]) -> list[int]:
    if layout.labelled is None:
        numbers = sequence.images.keys() | sequence.labels.keys()
        return sorted({number - number % layout.frames for number in numbers})
    labels = sorted(sequence.labels)
    for before, after in pairwise(labels):
        if after - before < layout.frames:
            faults.append(
                f"{name}: labels on frames {before} and {after} lie less than {layout.frames} apart"
            )
    early = [number for number in labels if number < layout.labelled]
    faults += [
        f"{name}: the label on frame {number} has no {layout.labelled} frames before it" for number in early
    ]
    return [number - layout.labelled for number in labels if number >= layout.labelled]


def _snippet(
    root: Path,
    split: str,
    folder: str,
    name: str,
    start: int,
    sequence: _Sequence,
    layout: Layout,
    faults: list[str],
) -> list[Frame]:
    clip = f"{name}_{start:06d}"
    city = name.split("_")[0]
    boxes = root / "boxes" / folder / city / f"{name}_boxes.json"
    boxes = boxes if boxes.is_file() else None
    frames = []
    for index in range(layout.frames):
        number = start + index
        stem = f"{name}_{number:06d}"
        image, label = sequence.images.get(number), sequence.labels.get(number)
        if image is None:
            faults.append(
                f"{stem}_leftImg8bit.png is missing (frame {index} of {layout.frames} of snippet {clip})"
            )
            continue
        if label is None and layout.labelled in (None, index):
            faults.append(f"{stem}_gtFine_labelIds.png is missing")
        flow = root / "flow" / folder / city / f"{stem}_flow.npz"
        frames.append(Frame(clip, index, split, image, label, flow if flow.is_file() else None, boxes))
    return frames


def _report_left_over(
    name: str, sequence: _Sequence, starts: list[int], layout: Layout, faults: list[str]
) -> None:
    """Frames of no snippet, as runs of consecutive numbers."""
    taken = {start + index for start in starts for index in range(layout.frames)}
    runs: list[list[int]] = []
    for number in sorted(sequence.images.keys() - taken):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    for first, last in runs:
        faults.append(f"{name}: frames {first:06d} to {last:06d} belong to no labelled snippet")


def _common_size(frames: list[Frame], faults: list[str]) -> tuple[int, int]:
    """The size of the first frame; every other image and label must have it, and be there to its end."""
    size = (0, 0)
    for path in (path for frame in frames for path in (frame.image, frame.label) if path):
        found = _png_size(path)
        if found is None:
            faults.append(f"{path} is not a PNG file")
        elif not png_has_end(path):
            faults.append(f"{path} is truncated: {path.stat().st_size} bytes without an end; copy it again")
        elif size == (0, 0):
            size = found
        elif found != size:
            faults.append(f"{path} is {found[0]}×{found[1]}; the first frame is {size[0]}×{size[1]}")
    return size


def _png_size(path: Path) -> tuple[int, int] | None:
    """(height, width) from the header alone."""
    with path.open("rb") as file:
        head = file.read(24)
    return picture_size(head) if head.startswith(b"\x89PNG") else None
