"""Reads the lists of ImageNet VID and DET: which snippets and pictures belong to a part of the data set.

ImageSets/VID/train_<n>.txt   <snippet> <flag>         a list per class; flag 1: it is in the snippet
ImageSets/VID/val.txt         <snippet>/<frame> <n>    one list of frames
ImageSets/DET/train_<n>.txt   <picture> <flag>         flag 1: the class is in the picture, -1: it is not
"""

import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from deltadistill.files.limits import MOST_TABLE_BYTES
from deltadistill.files.text import read_text

_FRAME = re.compile(r"\d{6}")
_FLAGS = (["1"], ["0"], ["-1"])


def read_lists(root: Path, kind: str, part: str, faults: list[str]) -> list[str]:
    """What `ImageSets/<kind>/<part>.txt` names, or else all lists `<part>_<n>.txt` with flag 1; each once."""
    folder = root / "ImageSets" / kind
    whole = folder / f"{part}.txt"
    of_classes = sorted(path for path in folder.glob(f"{part}_*.txt") if _is_class_list(path, part))
    if not whole.is_file() and not of_classes:
        faults.append(f"neither {whole} nor a list {part}_<number>.txt beside it")
        return []
    entries: dict[str, None] = {}  # a set that keeps its order
    for path in [whole] if whole.is_file() else of_classes:
        entries |= dict.fromkeys(_entries(path, faults, flagged=path != whole))
    if not entries:
        faults.append(f"the lists of {part} in {folder} name nothing")
    return list(entries)


def snippets(entries: Iterable[str], source: str, faults: list[str]) -> dict[str, tuple[str, ...] | None]:
    """Snippet → its listed frames, in order; None where the list names the snippet as a whole."""
    found: dict[str, list[str] | None] = {}
    for entry in entries:
        place, _, last = entry.rpartition("/")
        if not _FRAME.fullmatch(last):
            found[entry] = None
        elif found.setdefault(place, []) is not None:
            found[place].append(last)
    for snippet, frames in found.items():
        for before, after in pairwise(frames or ()):
            if after < before:
                faults.append(f"{source}: {snippet}/{after} comes after {snippet}/{before}")
    return {snippet: frames and tuple(frames) for snippet, frames in found.items()}


def _is_class_list(path: Path, part: str) -> bool:
    return path.stem.removeprefix(f"{part}_").isdigit()


def _entries(path: Path, faults: list[str], *, flagged: bool) -> list[str]:
    text = read_text(path, most_bytes=MOST_TABLE_BYTES, remedy="copy it again")
    lines = [line.split() for line in text.splitlines() if line.strip()]
    counted = Counter(words[0] for words in lines)
    faults += [f"{path}: {entry} is listed {n} times" for entry, n in counted.items() if n > 1]
    wrong = [words for words in lines if len(words) > 2 or (flagged and words[1:] not in _FLAGS)]
    faults += [f"{path}: {' '.join(words)!r} is not a name and a flag (1, 0 or -1)" for words in wrong]
    return [words[0] for words in lines if not flagged or words[1:] == ["1"]]
