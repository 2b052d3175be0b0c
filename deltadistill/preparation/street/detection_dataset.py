"""Writes generated clips in the layout of ImageNet VID and DET: pictures, boxes with tracks, and lists.

    Data/VID/train/street_VID_train_0000/street_train_<8 digits>/<6 digits>.JPEG
    Data/VID/{tune,val}/street_{tune,val}_<8 digits>/<6 digits>.JPEG
    Data/DET/train/street_stills/street_still_<8 digits>.JPEG       single pictures of streets of their own
    Annotations/… .xml and ImageSets/{VID,DET}/… .txt               as the official ones (imagenet_lists.py)

Snippets are annotated with the four classes of class_tables/street_boxes.csv; stills also with trees, which
that table does not hold.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import cv2

from deltadistill.preparation.encoded_picture import write_picture
from deltadistill.preparation.street.clip import render_clip
from deltadistill.preparation.street.things_seen import ThingSeen
from deltadistill.preparation.workers import spread_out

SYNSETS = {  # of WordNet, as in ImageNet
    "car": "n02958343",
    "person": "n00007846",
    "pole": "n03976657",
    "sign": "n06794110",
    "tree": "n13104059",
}
ONLY_IN_STILLS = {"tree"}
_PLACES = {  # part → kind and folder, number in a clip's key, and name of its clips
    "train": ("VID/train/street_VID_train_0000", 0, "street_train"),
    "tune": ("VID/tune", 1, "street_tune"),
    "val": ("VID/val", 2, "street_val"),
    "stills": ("DET/train/street_stills", 3, "street_still"),
}
_OCCLUDED = 0.8  # visible share of a thing below which it counts as occluded
_QUALITY = 95  # of the JPEG files


@dataclass(frozen=True)
class Look:
    """How clips are drawn and annotated.

    Left out, as nobody would draw a box around them, are things whose box has a shorter side than `smallest`
    pixels, and those of which less than the share `visible` is to be seen.
    """

    height: int
    width: int
    noise: float
    seed: int
    smallest: int
    visible: float


@dataclass(frozen=True)
class ClipJob:
    """One clip or still to write; picklable, so that any process can do it."""

    root: Path
    part: str
    number: int
    frames: int

    @property
    def place(self) -> Path:
        """Its folder, or for a still its picture, below Data and Annotations, without suffix."""
        folder, _, name = _PLACES[self.part]
        return Path(folder) / f"{name}_{self.number:08d}"


def write_street_detection(
    root: Path,
    clips: dict[str, int],
    *,
    frames: int,
    look: Look,
    workers: int,
    progress: Callable[[int], object] = lambda frames: None,
) -> None:
    """Write `clips[part]` clips of train, tune and val, and as many stills, under `root`.

    Equal arguments give equal pictures and annotations, whatever `workers` is. `progress` is called with
    frames just written.
    """
    jobs = [
        ClipJob(root, part, number, 1 if part == "stills" else frames)
        for part in _PLACES
        for number in range(clips[part])
    ]
    write, shown = partial(write_clip, look=look), {}
    for job, kinds in zip(jobs, spread_out(write, jobs, workers=workers), strict=True):
        shown[job] = kinds
        progress(job.frames)
    for part in ("train", "stills"):
        _write_class_lists(root, part, {job: kinds for job, kinds in shown.items() if job.part == part})
    for part in ("tune", "val"):
        entries = [
            f"{job.place.name}/{index:06d}" for job in jobs if job.part == part for index in range(frames)
        ]
        lines = [f"{entry} {number}" for number, entry in enumerate(entries, start=1)]
        _write_list(root / "ImageSets" / "VID" / f"{part}.txt", lines)


def write_clip(job: ClipJob, *, look: Look) -> set[str]:
    """Render and write one clip or still; returns the kinds of things annotated in it."""
    still = job.part == "stills"
    kinds: set[str] = set()
    rendered = render_clip(
        (look.seed, _PLACES[job.part][1], job.number),
        frames=job.frames, height=look.height, width=look.width, noise=look.noise, things=True,
    )  # fmt: skip
    for index, frame in enumerate(rendered):
        place = job.place if still else job.place / f"{index:06d}"
        things = [thing for thing in frame.things if _is_annotated(thing, look, still)]
        kinds |= {thing.kind for thing in things}
        image = job.root / "Data" / f"{place}.JPEG"
        annotation = job.root / "Annotations" / f"{place}.xml"
        write_picture(image, frame.image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        annotation.parent.mkdir(parents=True, exist_ok=True)
        annotation.write_bytes(_to_xml(place, look, things, still))
    return kinds


def _is_annotated(thing: ThingSeen, look: Look, still: bool) -> bool:
    x0, y0, x1, y1 = thing.box
    is_clear = min(x1 - x0, y1 - y0) >= look.smallest and thing.visible >= look.visible
    return is_clear and (still or thing.kind not in ONLY_IN_STILLS)


def _to_xml(place: Path, look: Look, things: Iterable[ThingSeen], still: bool) -> bytes:
    top = ElementTree.Element("annotation")
    _add(top, folder=place.parent.name, filename=place.name)
    _add(ElementTree.SubElement(top, "source"), database="deltadistill street")
    _add(ElementTree.SubElement(top, "size"), width=look.width, height=look.height)
    for thing in things:
        item = ElementTree.SubElement(top, "object")
        if not still:
            _add(item, trackid=thing.number)
        _add(item, name=SYNSETS[thing.kind])
        x0, y0, x1, y1 = thing.box
        _add(ElementTree.SubElement(item, "bndbox"), xmin=x0, ymin=y0, xmax=x1, ymax=y1)
        if not still:
            _add(item, occluded=int(thing.visible < _OCCLUDED), generated=0)
    ElementTree.indent(top)
    return ElementTree.tostring(top) + b"\n"


def _add(item: ElementTree.Element, **children: object) -> None:
    for name, value in children.items():
        ElementTree.SubElement(item, name).text = str(value)


def _write_class_lists(root: Path, part: str, shown: dict[ClipJob, set[str]]) -> None:
    """A list per class of everything in the part, with flag 1 where it shows the class and -1 elsewhere."""
    kind, top = _PLACES[part][0].split("/")[:2]
    names = [name for name in SYNSETS if part == "stills" or name not in ONLY_IN_STILLS]
    for number, name in enumerate(names, start=1):
        lines = [
            f"{job.place.relative_to(Path(kind) / top)} {1 if name in kinds else -1}"
            for job, kinds in shown.items()
        ]
        _write_list(root / "ImageSets" / kind / f"{top}_{number}.txt", lines)


def _write_list(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
