"""CelebA's aligned faces (Liu et al., 2015), cut square and made small, as folders of one class.

<root>/img_align_celeba/<number>.jpg       178×218 (or .png)
<root>/list_eval_partition.txt or .csv     <number>.jpg and 0 (train), 1 (tune) or 2 (test), a line each
"""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from deltadistill.data.faults import raise_faults
from deltadistill.data.picture import decode_picture
from deltadistill.preparation.encoded_picture import write_picture

FOLDER, LISTS, CLASS = "img_align_celeba", ("list_eval_partition.txt", "list_eval_partition.csv"), "face"
_SPLITS = {"0": "train", "1": "tune", "2": "test"}


def celeba_to_folders(
    root: Path, folder: Path, *, size: tuple[int, int], progress: Callable[[int], object]
) -> None:
    """Write every picture of the list at `root` as <folder>/<split>/face/<number>.png.

    size: of what is written, (height, width): the whole of the shorter side is kept, and the middle of the
    longer one. `progress` is called with pictures just written. Raises ValueError, before anything is
    written, that lists what is wrong with the list.
    """
    faults: list[str] = []
    names = _listed(Path(root), faults)
    raise_faults(root, faults)
    for name, split in names.items():
        picture = decode_picture(Path(root) / FOLDER / name, cv2.IMREAD_COLOR)[..., ::-1]
        write_picture(folder / split / CLASS / f"{Path(name).stem}.png", middle(picture, size))
        progress(1)


def middle(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The largest part in the middle of uint8 (H, W, 3) of a size's shape, made as large as that."""
    scale = min(picture.shape[0] / size[0], picture.shape[1] / size[1])
    rows, columns = (round(side * scale) for side in size)
    top, left = (picture.shape[0] - rows) // 2, (picture.shape[1] - columns) // 2
    part = np.ascontiguousarray(picture[top : top + rows, left : left + columns])
    return cv2.resize(part, (size[1], size[0]), interpolation=cv2.INTER_AREA)


def _listed(root: Path, faults: list[str]) -> dict[str, str]:
    """The split of each picture of the list, by the name of its file."""
    path = next((root / name for name in LISTS if (root / name).is_file()), None)
    if path is None:
        faults.append(f"{root} holds neither {' nor '.join(LISTS)}, as CelebA's archive does")
        return {}
    lines = [line.replace(",", " ").split() for line in path.read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if line and line[0] != "image_id"]  # the head of the .csv
    if wrong := [" ".join(line) for line in lines if len(line) != 2 or line[1] not in _SPLITS]:
        faults.append(
            f"{path} has {len(wrong)} lines that are no picture and 0, 1 or 2, such as {wrong[0]!r:.60}"
        )
        return {}
    found = {name: _SPLITS[part] for name, part in lines}
    faults += [f"{path} names no picture of {split}" for split in set(_SPLITS.values()) - {*found.values()}]
    there = {each.name for each in (root / FOLDER).iterdir()} if (root / FOLDER).is_dir() else set()
    faults += [f"{root / FOLDER / name} is missing" for name in sorted(set(found) - there)]
    return found
