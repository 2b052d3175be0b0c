"""Cityscapes' coarsely labelled pictures: stills to train on, each a clip of one frame.

    leftImg8bit/<folder>/<city>/<city>_<seq>_<frame>_leftImg8bit.png
    gtCoarse/<folder>/<city>/<city>_<seq>_<frame>_gtCoarse_labelIds.png

Their label ids are those of the fine labels; what nobody outlined has an id that no class takes. The folder
train_extra has no snippets around its pictures.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from deltadistill.data.manifest import Frame

_STEM = r"(?P<stem>{city}_\d{{6}}_\d{{6}})_{kind}\.png"
_IMAGE, _LABEL = "leftImg8bit", "gtCoarse_labelIds"


def read_coarse(root: Path, folders: Iterable[str], faults: list[str]) -> list[Frame]:
    """Every picture of the folders with its coarse label; `faults` gets what is missing or misnamed."""
    frames: list[Frame] = []
    for folder in folders:
        place = root / _IMAGE / folder
        cities = sorted(entry.name for entry in place.iterdir() if entry.is_dir()) if place.is_dir() else []
        if not cities:
            faults.append(f"no folder of a city in {place}")
        for city in cities:
            frames += _read_city(root, folder, city, faults)
    return frames


def _read_city(root: Path, folder: str, city: str, faults: list[str]) -> list[Frame]:
    images = _by_stem(root / _IMAGE / folder / city, city, _IMAGE, faults)
    labels = _by_stem(root / "gtCoarse" / folder / city, city, _LABEL, faults)
    faults += [f"{stem}_{_LABEL}.png is missing" for stem in images if stem not in labels]
    faults += [f"{labels[stem]} has no picture" for stem in labels if stem not in images]
    return [Frame(stem, 0, "train", image, labels.get(stem)) for stem, image in images.items()]


def _by_stem(place: Path, city: str, kind: str, faults: list[str]) -> dict[str, Path]:
    """Files of one kind by what comes before the kind in their names."""
    name = re.compile(_STEM.format(city=re.escape(city), kind=kind))
    found = {}
    for path in sorted(place.glob(f"*_{kind}.png")):
        match = name.fullmatch(path.name)
        if match:
            found[match["stem"]] = path
        else:
            faults.append(f"{path} is not named {city}_<6 digits>_<6 digits>_{kind}.png")
    return found
