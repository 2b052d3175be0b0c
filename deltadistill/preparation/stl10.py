"""STL-10's binary files (Coates et al., 2011): written, and read through torchvision into folders of classes.

<root>/stl10_binary/train_X.bin, test_X.bin   uint8, a picture after the other, 3×96×96, columns first
<root>/stl10_binary/train_y.bin, test_y.bin   uint8, its class, from 1
<root>/stl10_binary/class_names.txt           a name a line, in the order of the numbers
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from deltadistill.data.faults import raise_faults
from deltadistill.preparation.encoded_picture import write_picture

FOLDER, SIDE = "stl10_binary", 96
SPLITS = ("train", "test")
_PICTURE = 3 * SIDE * SIDE  # bytes

Pictures = tuple[np.ndarray, np.ndarray]
"""Pictures uint8 (N, 96, 96, 3), RGB, and the numbers of their classes from 0, (N,)."""


def write_stl10(root: Path, names: Sequence[str], splits: Mapping[str, Pictures]) -> None:
    """Write the files of both splits, "train" and "test"."""
    place = root / FOLDER
    place.mkdir(parents=True)
    (place / "class_names.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    for split, (pictures, classes) in splits.items():
        columns_first = np.ascontiguousarray(pictures.transpose(0, 3, 2, 1))
        (place / f"{split}_X.bin").write_bytes(columns_first.tobytes())
        (place / f"{split}_y.bin").write_bytes((classes + 1).astype(np.uint8).tobytes())


def stl10_to_folders(root: Path, folder: Path, *, progress: Callable[[int], object]) -> None:
    """Write every labelled picture of the files at `root` as <folder>/<split>/<class>/<number>.png.

    `progress` is called with pictures just written. Raises ValueError, before anything is written, that lists
    what is wrong with the files: truncated, of other lengths, of one channel, a class without a name.
    """
    place = Path(root) / FOLDER
    faults: list[str] = []
    names = _names(place, faults)
    for split in SPLITS:
        faults += _faults(place, split, len(names))
    raise_faults(place, faults)
    for split in SPLITS:
        pictures, classes = _read(Path(root), split)
        for number, (picture, label) in enumerate(zip(pictures, classes, strict=True)):
            write_picture(folder / split / names[label] / f"{number:05d}.png", picture)
            progress(1)


def _names(place: Path, faults: list[str]) -> list[str]:
    path = place / "class_names.txt"
    if not path.is_file():
        faults.append(f"{path} is missing; root must hold {FOLDER}/ as STL-10's archive has it")
        return []
    names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if unfit := [name for name in names if "/" in name or name.startswith(".")]:
        faults.append(f"{path} names classes {unfit} that cannot be names of folders")
    if len(set(names)) < len(names):
        faults.append(f"{path} names a class twice")
    return names


def _faults(place: Path, split: str, classes: int) -> list[str]:
    """What is wrong with the two files of a split."""
    pictures, labels = (place / f"{split}_{what}.bin" for what in "Xy")
    if missing := [path for path in (pictures, labels) if not path.is_file()]:
        return [f"{path} is missing" for path in missing]
    size, numbers = pictures.stat().st_size, np.fromfile(labels, np.uint8)
    faults = []
    if size != len(numbers) * _PICTURE:
        faults.append(f"{pictures}: {_wrong_size(size, len(numbers))}")
    wrong = sorted({int(number) for number in numbers if not 1 <= number <= classes})
    if wrong and classes:
        faults.append(
            f"{labels} has classes {wrong[:5]}; expected 1 to {classes}, as class_names.txt has names"
        )
    if not len(numbers):
        faults.append(f"{labels} is empty")
    return faults


def _wrong_size(size: int, count: int) -> str:
    if size == count * SIDE * SIDE:
        return f"{count} pictures of one channel; grey ones, where STL-10 has three channels"
    what = "truncated: " if size < count * _PICTURE else ""
    return f"{what}{size} bytes; expected {count * _PICTURE} for the {count} classes beside it"


def _read(root: Path, split: str) -> Pictures:
    from torchvision.datasets import STL10  # takes seconds that no other kind of data set needs

    class AnyFiles(STL10):
        """Any files in the layout, without checksums and without unlabelled pictures."""

        train_list = (("train_X.bin", None), ("train_y.bin", None))
        test_list = (("test_X.bin", None), ("test_y.bin", None))

    found = AnyFiles(str(root), split=split)
    return found.data.transpose(0, 2, 3, 1), found.labels
