"""A tiny data set in the layout of ImageNet VID and DET for the tests of this folder."""

from pathlib import Path

import cv2
import numpy as np

from deltadistill.data.label_table import ClassEntry

SIZE = (12, 20)
CAR, PERSON, TREE = "n02958343", "n00007846", "n13104059"
TABLE = {CAR: ClassEntry("car", (0, 0, 142), ()), PERSON: ClassEntry("person", (220, 20, 60), ())}


def thing(box, *, synset=CAR, track=None, occluded=0, generated=0):
    """XML of one object; without a track as DET writes it."""
    x0, y0, x1, y1 = box
    corners = f"<xmax>{x1}</xmax><xmin>{x0}</xmin><ymax>{y1}</ymax><ymin>{y0}</ymin>"
    of_video = f"<occluded>{occluded}</occluded><generated>{generated}</generated>"
    before = "" if track is None else f"<trackid>{track}</trackid>"
    after = "<difficult>0</difficult>" if track is None else of_video
    return f"<object>{before}<name>{synset}</name><bndbox>{corners}</bndbox>{after}</object>"


def add_picture(root: Path, kind: str, place: str, objects: list[str], size=SIZE) -> Path:
    """A picture and its annotation; returns the picture's path."""
    image = root / "Data" / kind / f"{place}.JPEG"
    annotation = root / "Annotations" / kind / f"{place}.xml"
    for path in (image, annotation):
        path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(image), np.full((*size, 3), 90, np.uint8))
    extent = f"<size><width>{size[1]}</width><height>{size[0]}</height></size>"
    annotation.write_text(f"<annotation>{extent}{''.join(objects)}</annotation>")
    return image


def add_snippet(root: Path, part: str, name: str, frames=3, size=SIZE) -> None:
    """Frame i holds a car that moves by one pixel a frame (track 0) and, in frame 1 only, a person."""
    for index in range(frames):
        objects = [thing((index, 2, index + 6, 8), track=0, occluded=int(index == 2))]
        if index == 1:
            objects.append(thing((10, 1, 13, 11), synset=PERSON, track=4, generated=1))
        add_picture(root, "VID", f"{part}/{name}/{index:06d}", objects, size)


def add_list(root: Path, kind: str, name: str, lines: list[str]) -> Path:
    """A file of ImageSets."""
    path = root / "ImageSets" / kind / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def make(root: Path) -> Path:
    """Three snippets to train on, one of another size to test on; DET with a car, a tree and nothing."""
    for number in range(3):
        add_snippet(root, "train", f"set_0000/train_{number:04d}")
    add_list(root, "VID", "train_1", ["set_0000/train_0000 1", "set_0000/train_0001 1"])
    add_list(root, "VID", "train_2", ["set_0000/train_0002 1", "set_0000/train_0001 1"])
    add_snippet(root, "val", "val_0000", frames=2, size=(20, 24))
    add_list(root, "VID", "val", ["val_0000/000000 1", "val_0000/000001 2"])
    add_picture(root, "DET", "train/extra/still_0", [thing((0, 0, 20, 12)), thing((1, 1, 4, 4), synset=TREE)])
    add_picture(root, "DET", "train/extra/still_1", [thing((1, 1, 4, 4), synset=TREE)])
    add_list(root, "DET", "train_7", ["extra/still_0 1", "extra/still_1 -1", "extra/still_2 -1"])
    add_list(root, "DET", "train_8", ["extra/still_0 0", "extra/still_1 1"])
    return root
