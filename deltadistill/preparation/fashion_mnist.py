"""Fashion-MNIST's idx files (Xiao et al., 2017) as folders of classes; grey gets three equal channels.

<root>/train-images-idx3-ubyte[.gz], train-labels-idx1-ubyte[.gz], t10k-images-…, t10k-labels-…
"""

import gzip
import struct
import zlib
from collections.abc import Callable
from math import prod
from pathlib import Path

import numpy as np

from deltadistill.data.faults import raise_faults
from deltadistill.preparation.encoded_picture import write_picture

NAMES = (
    *("t-shirt", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle_boot"),
)
_FILES = {"train": "train", "test": "t10k"}
_SIDE, _BYTES = 28, 0x08  # an idx file's type code of uint8
_MOST = 10**9  # bytes that a file may unpack to


def fashion_mnist_to_folders(root: Path, folder: Path, *, progress: Callable[[int], object]) -> None:
    """Write every picture of the files at `root` as <folder>/<split>/<class>/<number>.png, 28×28, RGB.

    `progress` is called with pictures just written. Raises ValueError, before anything is written, that lists
    what is wrong with the files.
    """
    faults: list[str] = []
    read = {split: _read(Path(root), name, faults) for split, name in _FILES.items()}
    raise_faults(root, faults)
    for split, (pictures, classes) in read.items():
        for number, (picture, label) in enumerate(zip(pictures, classes, strict=True)):
            colour = np.repeat(picture[..., None], 3, 2)
            write_picture(folder / split / NAMES[label] / f"{number:05d}.png", colour)
            progress(1)


def _read(root: Path, name: str, faults: list[str]) -> tuple[np.ndarray, np.ndarray]:
    pictures = _idx(root / f"{name}-images-idx3-ubyte", (_SIDE, _SIDE), faults)
    classes = _idx(root / f"{name}-labels-idx1-ubyte", (), faults)
    if len(pictures) != len(classes):
        faults.append(
            f"{root}: {len(pictures)} pictures and {len(classes)} classes of {name}; expected equally many"
        )
    if len(classes) and classes.max() >= len(NAMES):
        faults.append(f"{root}: {name} has class {classes.max()}; expected 0 to {len(NAMES) - 1}")
    return pictures, classes


def _idx(path: Path, each: tuple[int, ...], faults: list[str]) -> np.ndarray:
    """An idx file of uint8, packed by gzip or not, of entries of a shape; empty where it has a fault."""
    data = _bytes(path, faults)
    axes = 1 + len(each)
    if data is None or len(data) < 4 * (1 + axes):
        if data is not None:
            faults.append(f"{path} is truncated: {len(data)} bytes, less than its head")
        return np.zeros((0, *each), np.uint8)
    magic, count, *shape = struct.unpack(f">{1 + axes}I", data[: 4 * (1 + axes)])
    expected = 4 * (1 + axes) + count * prod(each)
    if magic != _BYTES << 8 | axes or tuple(shape) != each:
        faults.append(f"{path} is no idx file of uint8 {('N', *each)}: magic {magic:#010x}, {shape}")
    elif len(data) != expected:
        what = "truncated" if len(data) < expected else "too long"
        faults.append(f"{path} is {what}: {len(data)} bytes; expected {expected}")
    else:
        return np.frombuffer(data, np.uint8, offset=4 * (1 + axes)).reshape(count, *each)
    return np.zeros((0, *each), np.uint8)


def _bytes(path: Path, faults: list[str]) -> bytes | None:
    packed = path.with_name(f"{path.name}.gz")
    try:
        if path.is_file():
            return path.read_bytes()
        if packed.is_file():
            with gzip.open(packed) as file:
                return file.read(_MOST)
    except (OSError, EOFError, zlib.error) as error:
        faults.append(f"{path} cannot be read: {error}")
        return None
    faults.append(f"{path} is missing, with .gz and without")
    return None
