"""The manifest: one table that describes a data set, whatever it came from; all that later stages read.

`manifest.csv` has a row per frame; `dataset.json` beside it says what the frames have in common. A clip is
consecutive frames without a scene cut; a sequence never leaves its clip.
"""

import csv
import json
import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from deltadistill.data import frame_targets, frame_times, places
from deltadistill.data.dataset_info import FILE_NAME, DatasetInfo, info_to_json, read_info
from deltadistill.data.digest import content_digest
from deltadistill.data.faults import raise_faults
from deltadistill.files.limits import MOST_CLIP_FRAMES
from deltadistill.files.table import read_table

COLUMNS = ("clip", "frame", "image", "label", "split", "flow", "boxes", "origin")
_EXTRA = {"seconds": frame_times, "target": frame_targets}  # columns that are there where any frame has one
_PLACES = (2, 3, 5, 6)  # of the columns that hold paths
SPLITS = ("train", "tune", "test")
PSEUDO = "pseudo"
ORIGINS = ("true", "generated", PSEUDO)


@dataclass(frozen=True)
class Frame:
    """One frame: `index` counts from 0 within the clip; what a data set does not have is None.

    `label` is a PNG of label ids, `flow` a .npz of backward flow with validity, `boxes` the clip's JSON.
    `origin` says who made the label, if there is one: "true" (people), "generated" (with the picture) or
    "pseudo" (another network), which only the train split may have. `seconds` is when the frame is shown,
    from its video's start. `target` is what it is labelled with as a whole: of classes the index.
    """

    clip: str
    index: int
    split: str
    image: Path
    label: Path | None = None
    flow: Path | None = None
    boxes: Path | None = None
    origin: str = "true"
    seconds: float | None = None
    target: float | None = None


@dataclass(frozen=True)
class Manifest:
    """A data set: its frames in order of split, clip and index, and its common facts."""

    frames: tuple[Frame, ...]
    info: DatasetInfo

    @classmethod
    def of(cls, frames: Iterable[Frame], info: DatasetInfo) -> "Manifest":
        """A manifest of frames in any order."""
        return cls(tuple(sorted(frames, key=_order)), info)

    def clips(self, split: str) -> dict[str, tuple[Frame, ...]]:
        """Clip name → its frames, in order."""
        if split not in SPLITS:
            raise ValueError(f"unknown split {split!r}; there are {', '.join(SPLITS)}")
        clips: dict[str, list[Frame]] = {}
        for frame in self.frames:
            if frame.split == split:
                clips.setdefault(frame.clip, []).append(frame)
        return {clip: tuple(frames) for clip, frames in clips.items()}

    def counts(self) -> dict[str, dict[str, int]]:
        """Frames, labelled frames (with a label, boxes or a target) and clips per split.

        Of the labelled ones, those with a pseudo-label, where there are any.
        """
        clips = {split: self.clips(split) for split in SPLITS}
        frames = {split: [frame for clip in clips[split].values() for frame in clip] for split in SPLITS}
        pseudo = {split: sum(map(_is_pseudo, frames[split])) for split in SPLITS}
        return {
            "frames": {split: len(frames[split]) for split in SPLITS},
            "labelled": {split: sum(map(_is_labelled, frames[split])) for split in SPLITS},
            **({PSEUDO: pseudo} if any(pseudo.values()) else {}),
            "clips": {split: len(clips[split]) for split in SPLITS},
        }

    def write(self, path: Path) -> None:
        """Write `path` and dataset.json beside it; ValueError with all faults if the manifest is wrong.

        Paths inside the manifest's folder are written relative to it, so that the folder can be moved. There
        is a column of seconds, or of targets, where any frame has one.
        """
        path = Path(path)
        raise_faults(path, find_faults(self.frames))
        folder = Path(os.path.abspath(path.parent))
        extra = [name for name in _EXTRA if any(getattr(frame, name) is not None for frame in self.frames)]
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow((*COLUMNS, *extra))
            writer.writerows(_row(frame, folder, extra) for frame in self.frames)
        files = _files(self.frames)
        facts = info_to_json(self.info, self.counts(), places.elsewhere(files, folder))
        facts |= {"content_sha256": content_digest(files, folder)}
        (path.parent / FILE_NAME).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """Read and check a manifest; ValueError names all its faults."""
        path = Path(path)
        if not path.is_file():
            raise ValueError(f"no manifest at {path}; run the stage prepare_dataset first")
        remedy = "run the stage prepare_dataset again"
        header, rows = read_table(path, COLUMNS, tuple(_EXTRA), remedy=remedy)
        extra = header[len(COLUMNS) :]
        raise_faults(path, _row_faults(rows, extra))
        folder = Path(os.path.abspath(path.parent))
        info, elsewhere = read_info(path.parent)
        raise_faults(path, _place_faults(rows, folder, elsewhere))
        frames = tuple(_frame(row, folder, extra) for row in rows)
        raise_faults(path, find_faults(frames))
        return cls(frames, info)


def find_faults(frames: tuple[Frame, ...]) -> list[str]:
    """Everything wrong with a manifest's frames, in words."""
    faults = [f"unknown split {split!r} ({', '.join(SPLITS)} allowed)" for split in _unknown_splits(frames)]
    present = {frame.split for frame in frames}
    faults += [f"split {split} is empty" for split in SPLITS if split not in present]
    counted = Counter((frame.clip, frame.index) for frame in frames)
    faults += [f"{clip} frame {index} occurs {n} times" for (clip, index), n in counted.items() if n > 1]
    if not _unknown_splits(frames) and [*frames] != sorted(frames, key=_order):
        faults.append(
            f"rows are not sorted by split ({', '.join(SPLITS)}), clip and frame: {_first_unsorted(frames)}"
        )
    faults += _clip_faults(frames)
    faults += frame_times.faults((frame.clip, frame.index, frame.seconds) for frame in frames)
    faults += _origin_faults(frames)
    return faults + _missing_files(frames)


def _is_labelled(frame: Frame) -> bool:
    return frame.label is not None or frame.boxes is not None or frame.target is not None


def _is_pseudo(frame: Frame) -> bool:
    return frame.label is not None and frame.origin == PSEUDO


def _unknown_splits(frames: tuple[Frame, ...]) -> list[str]:
    return sorted({frame.split for frame in frames} - set(SPLITS))


def _order(frame: Frame) -> tuple:
    position = SPLITS.index(frame.split) if frame.split in SPLITS else len(SPLITS)
    return position, frame.clip, frame.index


def _first_unsorted(frames: tuple[Frame, ...]) -> str:
    for before, after in pairwise(frames):
        if _order(before) > _order(after):
            return f"{after.clip} frame {after.index} comes after {before.clip} frame {before.index}"
    return ""


def _clip_faults(frames: tuple[Frame, ...]) -> list[str]:
    splits: dict[str, set[str]] = {}
    indices: dict[str, set[int]] = {}
    for frame in frames:
        splits.setdefault(frame.clip, set()).add(frame.split)
        indices.setdefault(frame.clip, set()).add(frame.index)
    faults = [
        f"clip {clip} is in splits {' and '.join(sorted(s))}" for clip, s in splits.items() if len(s) > 1
    ]
    for clip, present in indices.items():
        lacking = sorted(set(range(max(present) + 1)) - present)
        if lacking:
            faults.append(f"clip {clip} lacks frame {_listed(lacking)}")
    return faults


def _origin_faults(frames: tuple[Frame, ...]) -> list[str]:
    """Labels of unknown origin, and pseudo-labels where something is measured."""
    unknown = sorted({frame.origin for frame in frames} - set(ORIGINS))
    allowed = ", ".join(ORIGINS)
    return [f"unknown origin {origin!r:.30} of a label ({allowed} allowed)" for origin in unknown] + [
        f"{frame.clip} frame {frame.index} of split {frame.split} has a pseudo-label; only train may have any"
        for frame in frames
        if frame.split != "train" and _is_pseudo(frame)
    ]


def _missing_files(frames: tuple[Frame, ...]) -> list[str]:
    return [f"no file {place}" for place in sorted(_files(frames)) if not place.is_file()]


def _files(frames: tuple[Frame, ...]) -> set[Path]:
    return {
        place for frame in frames for place in (frame.image, frame.label, frame.flow, frame.boxes) if place
    }


def _listed(numbers: list[int]) -> str:
    shown = ", ".join(str(number) for number in numbers[:5])
    return shown if len(numbers) <= 5 else f"{shown} and {len(numbers) - 5} more"


def _place_faults(rows: list[list[str]], folder: Path, elsewhere: tuple[Path, ...]) -> list[str]:
    first = {}  # a clip's boxes are named by each of its frames
    for line, row in enumerate(rows, start=2):
        for column in _PLACES:
            first.setdefault(row[column], line)
    faults = [(line, places.fault(text, folder, elsewhere)) for text, line in first.items() if text]
    return [f"line {line}: {fault}" for line, fault in faults if fault]


def _row_faults(rows: list[list[str]], extra: list[str]) -> list[str]:
    faults, columns = [], len(COLUMNS) + len(extra)
    for line, row in enumerate(rows, start=2):
        if len(row) != columns:
            faults.append(f"line {line} has {len(row)} columns; expected {columns}")
        elif not re.fullmatch(r"\d{1,9}", row[1], re.ASCII) or int(row[1]) >= MOST_CLIP_FRAMES:
            faults.append(
                f"line {line}: frame {row[1][:30]!r} is not a whole number from 0, below {MOST_CLIP_FRAMES}"
            )
        elif not row[0] or not row[2]:
            faults.append(f"line {line}: clip and image must not be empty")
        elif not row[0].isprintable():
            faults.append(f"line {line}: the clip's name {row[0]!r:.50} holds control characters")
        else:
            given = dict(zip(extra, row[len(COLUMNS) :], strict=True))
            faults += [
                f"line {line}: {name} {text[:30]!r} {_EXTRA[name].EXPECTED}"
                for name, text in given.items()
                if not _EXTRA[name].is_readable(text)
            ]
    return faults


def _row(frame: Frame, folder: Path, extra: list[str]) -> tuple:
    image, label, flow, boxes = (
        places.written(place, folder) if place else ""
        for place in (frame.image, frame.label, frame.flow, frame.boxes)
    )
    origin = frame.origin if frame.label else ""
    row = (frame.clip, frame.index, image, label, frame.split, flow, boxes, origin)
    return (*row, *(_EXTRA[name].written(getattr(frame, name)) for name in extra))


def _frame(row: list[str], folder: Path, extra: list[str]) -> Frame:
    clip, index, image, label, split, flow, boxes, origin, *more = row
    texts = {"image": image, "label": label, "flow": flow, "boxes": boxes}
    files = {name: folder / text if text else None for name, text in texts.items()}
    own = {"origin": origin} if label else {}
    read = {name: _EXTRA[name].read(text) for name, text in zip(extra, more, strict=True)}
    return Frame(clip, int(index), split, **files, **own, **read)
