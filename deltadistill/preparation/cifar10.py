"""CIFAR-10's binary files (Krizhevsky, 2009) as folders of classes.

<root>/cifar-10-batches-bin/data_batch_1.bin … data_batch_5.bin, test_batch.bin
    a picture after the other: its class, from 0, and 3×32×32 uint8, rows first
<root>/cifar-10-batches-bin/batches.meta.txt    a name a line, in the order of the numbers

The other version of the archive is pickles, which run code when they are read, and is not read here.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from deltadistill.data.faults import raise_faults
from deltadistill.preparation.encoded_picture import write_picture

FOLDER, SIDE = "cifar-10-batches-bin", 32
NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FILES = {"train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)), "test": ("test_batch.bin",)}
_RECORD = 1 + 3 * SIDE * SIDE  # bytes


def cifar10_to_folders(root: Path, folder: Path, *, progress: Callable[[int], object]) -> None:
    """Write every picture of the files at `root` as <folder>/<split>/<class>/<number>.png, 32×32.

    `progress` is called with pictures just written. Raises ValueError, before anything is written, that lists
    what is wrong with the files.
    """
    place = Path(root) / FOLDER
    faults: list[str] = []
    read = {split: [_records(place / name, faults) for name in names] for split, names in FILES.items()}
    raise_faults(place, faults)
    for split, files in read.items():
        for number, record in enumerate(np.concatenate(files)):
            picture = record[1:].reshape(3, SIDE, SIDE).transpose(1, 2, 0)
            write_picture(folder / split / NAMES[record[0]] / f"{number:05d}.png", picture)
            progress(1)


def _records(path: Path, faults: list[str]) -> np.ndarray:
    """The records of a file, uint8 (N, 3073); none where it has a fault."""
    nothing = np.zeros((0, _RECORD), np.uint8)
    if not path.is_file():
        faults.append(
            f"{path} is missing; root must hold {FOLDER}/ as the archive of the binary version has it"
        )
        return nothing
    data = np.fromfile(path, np.uint8)
    if not len(data) or len(data) % _RECORD:
        faults.append(f"{path} is truncated: {len(data)} bytes; expected a multiple of {_RECORD}")
        return nothing
    records = data.reshape(-1, _RECORD)
    if records[:, 0].max() >= len(NAMES):
        faults.append(f"{path} has class {records[:, 0].max()}; expected 0 to {len(NAMES) - 1}")
        return nothing
    return records
