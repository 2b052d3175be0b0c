"""Reads ImageNet VID and DET, or a data set in their layout, in place: snippets with boxes, to a manifest.

    Data/VID/<part>/<snippet>/<frame>.JPEG        frames 000000, 000001, …
    Annotations/VID/<part>/<snippet>/<frame>.xml  one for each frame
    Data/DET/<part>/<picture>.JPEG and Annotations/DET/<part>/<picture>.xml
    ImageSets/{VID,DET}/<part>….txt               what belongs to a part, see imagenet_lists.py

A picture of DET becomes a clip of one frame if it shows a class of the table. DET and VID name classes by the
same synsets, so equal ids are equal classes; what else is in a picture of DET is not looked for.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from deltadistill.data.boxes import Objects
from deltadistill.data.faults import raise_faults
from deltadistill.data.label_table import ClassEntry
from deltadistill.data.manifest import DatasetInfo, Frame, Manifest
from deltadistill.preparation.box_clips import BoxClip, held_back
from deltadistill.preparation.box_faults import clipped, object_faults
from deltadistill.preparation.ilsvrc_xml import Annotated, read_annotation
from deltadistill.preparation.imagenet_lists import read_lists, snippets
from deltadistill.preparation.picture_faults import picture_fault
from deltadistill.preparation.workers import spread_out

log = logging.getLogger(__name__)

_CHUNK = 16  # clips that a process takes at a time


@dataclass(frozen=True)
class Rules:
    """How annotations become objects: `synsets` in order of the classes.

    `outside`: what becomes of a box that reaches outside its picture: "refuse" or "clip".
    """

    synsets: tuple[str, ...]
    outside: str = "refuse"

    def __post_init__(self):
        if self.outside not in ("refuse", "clip"):
            raise ValueError(f"outside is {self.outside!r}; expected 'refuse' or 'clip'")


@dataclass(frozen=True)
class Source:
    """One clip to read: `data` and `annotations` are its folders, `listed` its frames if a list names them.

    A still is one picture, named by `listed`, of which only objects in the class table count.
    """

    name: str
    split: str
    data: Path
    annotations: Path
    listed: tuple[str, ...] | None = None
    still: bool = False


@dataclass
class Reading:
    """What came of a source: its `clip`, None where there are `faults` or a still shows no class.

    `cut` counts the boxes that were clipped to their picture.
    """

    clip: BoxClip | None = None
    faults: list[str] = field(default_factory=list)
    cut: int = 0


def read_imagenet_vid(
    root: Path,
    folder: Path,
    *,
    kind: str,
    table: dict[str, ClassEntry],
    size: tuple[int, int],
    train: Iterable[str],
    tune: Iterable[str],
    test: Iterable[str],
    stills: Iterable[str],
    tune_every: int = 9,
    outside: str = "refuse",
    workers: int = 1,
    progress: Callable[[int], object] = lambda frames: None,
) -> Manifest:
    """The manifest of a data set at `root`; box files are written below `folder`, no picture is copied.

    `train`, `tune` and `test` name parts of VID, `stills` parts of DET, which are trained on. Without `tune`,
    every `tune_every`-th snippet of the training parts, by name, is tuned on instead of trained on. `table`
    is synset → class, `size` the (height, width) that pictures are fitted into when they are read.
    ValueError lists everything that is wrong with the files; `progress` is called with frames just read.
    """
    root, rules = Path(root), Rules(tuple(table), outside)
    classes = tuple(table.values())
    names = [entry.name for entry in classes]
    faults: list[str] = []
    sources = _sources(root, (train, tune, test), stills, tune_every, faults)
    rows: list[Frame] = []
    cut = 0
    for reading in spread_out(partial(read_clip, rules=rules), sources, workers=workers, chunk=_CHUNK):
        faults += reading.faults
        cut += reading.cut
        if reading.clip:
            rows += reading.clip.write(folder, names)
            progress(len(reading.clip.images))
    raise_faults(root, faults)
    if cut:
        log.warning("%s: %d boxes reached outside their pictures and were clipped", root, cut)
    left_out = len(sources) - len({row.clip for row in rows})
    if left_out:
        log.info("%s: %d stills show no class of the table and are left out", root, left_out)
    return Manifest.of(rows, DatasetInfo(kind, size, classes, source=kind, fit="letterbox"))


def _sources(
    root: Path, splits: tuple[Iterable[str], ...], stills: Iterable[str], tune_every: int, faults: list[str]
) -> list[Source]:
    """All clips to read; each name once."""
    train, tune, test = (
        [clip for part in parts for clip in _snippets(root, part, faults)] for parts in splits
    )
    if not tune:
        held = held_back((source.name for source in train), tune_every, faults)
        tune = [source for source in train if source.name in held]
        train = [source for source in train if source.name not in held]
    train += [still for part in stills for still in _stills(root, part, faults)]
    named = {"train": train, "tune": tune, "test": test}
    sources = [replace(source, split=split) for split in named for source in named[split]]
    seen: dict[str, Source] = {}
    for source in sources:
        if source.name in seen:
            faults.append(f"two clips are named {source.name}: in {seen[source.name].data} and {source.data}")
        seen[source.name] = source
    return sources


def _snippets(root: Path, part: str, faults: list[str]) -> list[Source]:
    entries = read_lists(root, "VID", part, faults)
    listed = snippets(entries, f"ImageSets/VID/{part}", faults)
    data, annotations = root / "Data" / "VID" / part, root / "Annotations" / "VID" / part
    return [
        Source(Path(place).name, "", data / place, annotations / place, frames)
        for place, frames in listed.items()
    ]


def _stills(root: Path, part: str, faults: list[str]) -> list[Source]:
    data, annotations = root / "Data" / "DET" / part, root / "Annotations" / "DET" / part
    places = [Path(entry) for entry in read_lists(root, "DET", part, faults)]
    return [
        Source(p.name, "", data / p.parent, annotations / p.parent, (p.name,), still=True) for p in places
    ]


def read_clip(source: Source, *, rules: Rules) -> Reading:
    """Read one clip, with all that is wrong with it."""
    reading = Reading()
    stems = list(source.listed) if source.still else _frames(source, reading.faults)
    images, found, size = [], [], None
    for stem in stems:
        objects, own = _read_frame(source.annotations / f"{stem}.xml", rules, source.still, reading)
        if objects is None or (source.still and not len(objects)):
            continue
        image, size = source.data / f"{stem}.JPEG", size or own
        if fault := picture_fault(image, own):
            reading.faults.append(fault)
        elif own != size:
            shown = f"{own[0]}×{own[1]}; its clip's first frame is {size[0]}×{size[1]}"
            reading.faults.append(f"{image} is {shown}")
        images.append(image)
        found.append(objects)
    if images and not reading.faults:
        reading.clip = BoxClip(source.name, source.split, size, tuple(images), tuple(found))
    return reading


def _frames(source: Source, faults: list[str]) -> list[str]:
    """The snippet's frames that have a picture and an annotation; faults name all that lacks one."""
    pictures, annotations = _stems(source.data, ".JPEG"), _stems(source.annotations, ".xml")
    present = pictures | annotations | set(source.listed or ())
    if not present:
        faults.append(f"{source.data} holds no frame")
    odd = sorted(stem for stem in present if not (stem.isdigit() and len(stem) == 6))
    faults += [f"{source.data}: {stem!r} is not the name of a frame (000000, 000001, …)" for stem in odd]
    wanted = [f"{index:06d}" for index in range(1 + max((int(s) for s in present - set(odd)), default=-1))]
    faults += [f"{source.data / stem}.JPEG is missing" for stem in wanted if stem not in pictures]
    faults += [f"{source.annotations / stem}.xml is missing" for stem in wanted if stem not in annotations]
    if source.listed is not None:
        faults += [
            f"{source.data / stem}.JPEG is not in the list of its part"
            for stem in sorted(present.difference(source.listed))
        ]
    return [stem for stem in wanted if stem in pictures and stem in annotations]


def _stems(folder: Path, suffix: str) -> set[str]:
    return {path.stem for path in folder.glob(f"*{suffix}")}


def _read_frame(
    path: Path, rules: Rules, still: bool, reading: Reading
) -> tuple[Objects | None, tuple[int, int]]:
    """A picture's objects and its size by its annotation."""
    try:
        size, annotated = read_annotation(path)
    except ValueError as error:
        reading.faults.append(str(error))
        return None, (0, 0)
    if still:
        annotated = [item for item in annotated if item.synset in rules.synsets]
    unknown = sorted({item.synset for item in annotated}.difference(rules.synsets))
    reading.faults += [f"{path}: {synset} is not in the class table" for synset in unknown]
    objects = _objects([item for item in annotated if item.synset in rules.synsets], rules)
    if rules.outside == "clip":
        objects, cut = clipped(objects, size)
        reading.cut += cut
    reading.faults += object_faults(objects, size, str(path))
    return objects, size


def _objects(annotated: list[Annotated], rules: Rules) -> Objects:
    return Objects(
        boxes=[item.box for item in annotated],
        classes=[rules.synsets.index(item.synset) for item in annotated],
        tracks=[item.track for item in annotated],
        occluded=[item.occluded for item in annotated],
        generated=[item.generated for item in annotated],
    )
