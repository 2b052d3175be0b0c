"""Small generated data sets in the layouts of Cityscapes and ImageNet VID, as the official ones lie."""

import shutil
from pathlib import Path

import numpy as np

from deltadistill.preparation.cifar10 import FILES, FOLDER
from deltadistill.preparation.encoded_picture import write_picture
from deltadistill.preparation.stl10 import write_stl10
from deltadistill.preparation.street import detection_dataset
from deltadistill.preparation.street.dataset import write_street
from deltadistill.preparation.street.detection_dataset import Look, write_street_detection

LABELLED, FRAMES = 19, 30
# The street's things under synsets that ImageNet VID has.
SYNSETS = {
    "car": "n02958343",
    "person": "n02834778",
    "pole": "n03790512",
    "sign": "n04468005",
    "tree": "n13104059",
}


def make_cityscapes(root: Path, *, height: int = 64, width: int = 128) -> Path:
    """Two cities in train and one in val; one label in every snippet of 30 frames."""
    clips = {"train": 2, "tune": 1, "test": 1}
    write_street(root, clips, frames=FRAMES, height=height, width=width, seed=0, noise=0.02, workers=1)
    for top in ("flow", "boxes"):
        shutil.rmtree(root / top)
    for top in (root / "leftImg8bit_sequence", root / "gtFine"):
        (top / "tune" / "tunetown").rename(top / "train" / "tunetown")
        (top / "tune").rmdir()
        (top / "test").rename(top / "val")
    for label in (root / "gtFine").rglob("*_labelIds.png"):
        if int(label.name.split("_")[2]) != LABELLED:
            label.unlink()
    return root


def make_vid(root: Path, monkeypatch, *, height: int = 128, width: int = 256) -> Path:
    """Three snippets in train, one in val, and two stills of DET."""
    monkeypatch.setattr(detection_dataset, "SYNSETS", SYNSETS)
    look = Look(height, width, noise=0.02, seed=0, smallest=6, visible=0.25)
    clips = {"train": 3, "tune": 0, "val": 1, "stills": 2}
    write_street_detection(root, clips, frames=10, look=look, workers=1)
    return root


def make_stl10(root: Path) -> Path:
    """One class, ten pictures to train on and one to test on, in STL-10's binary files."""
    pictures = np.random.default_rng(0).integers(0, 255, (11, 96, 96, 3), np.uint8)
    classes = np.zeros(11, np.int64)
    write_stl10(
        root, ["bird", "cat"], {"train": (pictures[:10], classes[:10]), "test": (pictures[10:], classes[10:])}
    )
    return root


def make_cifar10(root: Path) -> Path:
    """Two pictures of one class in each of CIFAR-10's binary files."""
    pictures = np.random.default_rng(0).integers(0, 255, (2, 3072), np.uint8)
    records = np.concatenate([np.full((2, 1), 3, np.uint8), pictures], 1).tobytes()
    (root / FOLDER).mkdir(parents=True)
    for name in (name for names in FILES.values() for name in names):
        (root / FOLDER / name).write_bytes(records)
    return root


def make_celeba(root: Path) -> Path:
    """Four faces: two to train on, one to tune on and one to test on."""
    draws = np.random.default_rng(0)
    for number in range(4):
        picture = draws.integers(0, 255, (218, 178, 3), np.uint8)
        write_picture(root / "img_align_celeba" / f"{number}.jpg", picture)
    listed = "".join(f"{number}.jpg {split}\n" for number, split in enumerate((0, 0, 1, 2)))
    (root / "list_eval_partition.txt").write_text(listed)
    return root


def make_imagenet(root: Path) -> Path:
    """Two classes, three pictures each to train on and one to test on."""
    draws = np.random.default_rng(0)
    for split, count in (("train", 3), ("val", 1)):
        for synset in ("n01440764", "n01443537"):
            for number in range(count):
                picture = draws.integers(0, 255, (60, 80, 3), np.uint8)
                write_picture(root / split / synset / f"{number}.JPEG", picture)
    return root
