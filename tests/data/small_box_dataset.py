"""A tiny data set with boxes on disk: one bright square per clip that moves to the right."""

from pathlib import Path

import cv2
import numpy as np

from deltadistill.data.box_files import write_box_file
from deltadistill.data.boxes import Objects
from deltadistill.data.label_table import ClassEntry
from deltadistill.data.manifest import DatasetInfo, Frame, Manifest

SIZE = (128, 128)
CLASSES = (ClassEntry("red", (255, 0, 0), ()), ClassEntry("green", (0, 255, 0), ()))
SIDE, STEP = 32, 6  # pixels, pixels per frame


def make_box_manifest(folder: Path, *, clips=None, frames=4, stills=0, annotated=None) -> Manifest:
    """Clips of `frames` frames; `annotated` names the frame indices with boxes (None: all).

    The n-th clip's square has the colour of class n mod 2 and starts at x = 10 + 4 n, y = 20 + 8 n.
    """
    clips = clips or {"train": 2, "tune": 1, "test": 2}
    rows, number = [], 0
    for split, count in clips.items():
        for of_split in range(count):
            rows += _write_clip(folder, split, f"{split}{of_split}", number, range(frames), annotated)
            number += 1
    for still in range(stills):
        rows += _write_clip(folder, "train", f"still{still}", number + still, range(1), None)
    return Manifest.of(rows, DatasetInfo("coco_video", SIZE, CLASSES, None, "test"))


def _write_clip(folder, split, clip, number, frames, annotated):
    boxes = folder / "boxes" / f"{clip}.json"
    objects = {}
    for index in frames:
        x, y = 10 + 4 * number + STEP * index, 20 + 8 * number
        pixels = np.full((*SIZE, 3), 40 + 5 * number, np.uint8)
        pixels[y : y + SIDE, x : x + SIDE] = CLASSES[number % 2].color
        image = folder / f"{clip}_{index}.png"
        cv2.imwrite(str(image), pixels[..., ::-1])
        if annotated is None or index in annotated:
            objects[index] = Objects([[x, y, x + SIDE, y + SIDE]], [number % 2], [0])
        yield Frame(clip, index, split, image, boxes=boxes)
    write_box_file(boxes, objects, size=SIZE, classes=[entry.name for entry in CLASSES])
