"""A tiny data set on disk for the tests of this folder: pictures whose colours tell clip and frame."""

from pathlib import Path

import cv2
import numpy as np

from deltadistill.data.label_table import table
from deltadistill.data.manifest import DatasetInfo, Frame, Manifest

SIZE = (16, 24)
STREET = table("street_8")


def make_manifest(
    folder: Path, *, clips=None, frames=6, labelled=None, classes=STREET, flow=False
) -> Manifest:
    """Clips with `frames` frames each; `labelled` names the frame indices with a label (None: all).

    Pixels of frame i of the n-th clip: red = 10 n, green = i, blue = the column. Label ids: 7 left, 26 right.
    """
    clips = clips or {"train": 2, "tune": 1, "test": 1}
    rows, number = [], 0
    for split, count in clips.items():
        for of_split in range(count):
            for index in range(frames):
                rows.append(_write_frame(folder, split, f"{split}{of_split}", number, index, labelled, flow))
            number += 1
    return Manifest.of(rows, DatasetInfo("generated", SIZE, classes, "exact" if flow else None, "test"))


def _write_frame(folder, split, clip, number, index, labelled, flow):
    pixels = np.zeros((*SIZE, 3), np.uint8)
    pixels[..., 0], pixels[..., 1], pixels[..., 2] = 10 * number, index, np.arange(SIZE[1])
    image = folder / f"{clip}_{index}.png"
    cv2.imwrite(str(image), pixels[..., ::-1])
    label = None
    if labelled is None or index in labelled:
        label = folder / f"{clip}_{index}_label.png"
        ids = np.full(SIZE, 7, np.uint8)
        ids[:, SIZE[1] // 2 :] = 26
        cv2.imwrite(str(label), ids)
    motion = None
    if flow and index > 0:
        motion = folder / f"{clip}_{index}_flow.npz"
        np.savez(motion, flow=np.full((*SIZE, 2), (1.5, -0.5), np.float16), valid=np.ones(SIZE, bool))
    return Frame(clip, index, split, image, label, motion)
