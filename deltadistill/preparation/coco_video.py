"""Reads COCO-style video JSON, pictures in place: COCO's form with videos, frame numbers and tracks.

    videos       id, name
    images       id, file_name, height, width, video_id, frame_id   without video_id: a still
    annotations  id, image_id, category_id, bbox [x, y, width, height], track_id or instance_id;
                 iscrowd, occluded and generated where they are true
    categories   id, name

The images of a video stand in order of frame_id, which rises by one. What public code for ImageNet VID reads
and writes has this form.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from deltadistill.data.boxes import NO_TRACK, Objects
from deltadistill.data.faults import raise_faults
from deltadistill.data.label_table import ClassEntry
from deltadistill.data.manifest import DatasetInfo, Frame, Manifest
from deltadistill.files.limits import MOST_ANNOTATION_BYTES
from deltadistill.files.strict_json import read_json
from deltadistill.preparation.box_clips import BoxClip, held_back
from deltadistill.preparation.box_faults import clipped, object_faults
from deltadistill.preparation.class_table import chosen_color
from deltadistill.preparation.coco_values import odd_values
from deltadistill.preparation.picture_faults import picture_fault

log = logging.getLogger(__name__)

_NEEDED = {
    "images": ("id", "file_name", "height", "width"),
    "annotations": ("id", "image_id", "category_id", "bbox"),
    "categories": ("id", "name"),
}


@dataclass(frozen=True)
class CocoFile:
    """One annotation file, and the folder that its file names start from."""

    annotations: Path
    images: Path


def read_coco_video(
    files: Mapping[str, Iterable[CocoFile]],
    folder: Path,
    *,
    kind: str,
    size: tuple[int, int],
    tune_every: int = 9,
    outside: str = "refuse",
    progress: Callable[[int], object] = lambda frames: None,
) -> Manifest:
    """The manifest of the files of each split; box files are written below `folder`, no picture is copied.

    Without files for `tune`, every `tune_every`-th video of `train`, by name, is tuned on instead of trained
    on. The classes are the categories, in order of their ids. `size` is the (height, width) that pictures are
    fitted into; `outside` as in imagenet_vid.py. ValueError lists everything that is wrong, by file.
    """
    faults: list[str] = []
    loaded = {split: [_load(file, faults) for file in own] for split, own in files.items()}
    raise_faults("COCO video JSON", faults)  # below, every file has its four parts
    categories = _common_categories([file for own in loaded.values() for file in own], faults)
    clips = [
        clip
        for split, own in loaded.items()
        for file in own
        for clip in file.clips(split, categories, outside)
    ]
    faults += [fault for own in loaded.values() for file in own for fault in file.faults]
    if not any(clip.split == "tune" for clip in clips):
        videos = [clip.name for clip in clips if clip.split == "train" and len(clip.images) > 1]
        held = held_back(videos, tune_every, faults)
        clips = [replace(clip, split="tune") if clip.name in held else clip for clip in clips]
    counted = Counter(clip.name for clip in clips)
    faults += [f"{n} clips are named {name}" for name, n in counted.items() if n > 1]
    pictures = Counter(image for clip in clips for image in clip.images)
    faults += [f"{image} stands for {n} frames" for image, n in pictures.items() if n > 1]
    raise_faults("COCO video JSON", faults)
    if cut := sum(file.cut for own in loaded.values() for file in own):
        log.warning("%d boxes reached outside their pictures and were clipped", cut)
    rows: list[Frame] = []
    for clip in clips:
        rows += clip.write(folder, list(categories.values()))
        progress(len(clip.images))
    classes = tuple(ClassEntry(name, chosen_color(i), ()) for i, name in enumerate(categories.values()))
    source = ", ".join(str(file.annotations) for own in files.values() for file in own)
    return Manifest.of(rows, DatasetInfo(kind, size, classes, source=source, fit="letterbox"))


class _Loaded:
    """The content of one file, its faults, and how many boxes were cut off at the border of their picture."""

    def __init__(self, file: CocoFile, content: dict):
        self.file, self.faults, self.cut = file, [], 0
        self.categories = {entry["id"]: entry["name"] for entry in content["categories"]}
        self._images, self._videos = content["images"], content.get("videos", [])
        self._objects = defaultdict(list)
        for entry in content["annotations"]:
            self._objects[entry["image_id"]].append(entry)
        for part in _NEEDED:
            counted = Counter(entry["id"] for entry in content[part])
            self._say(f"{part}: id {key} occurs {n} times" for key, n in counted.items() if n > 1)
        strangers = self._objects.keys() - {image["id"] for image in self._images}
        self._say(f"annotations of image {key}, which is not there" for key in sorted(strangers, key=str))

    def clips(self, split: str, categories: dict[int, str], outside: str) -> list[BoxClip]:
        """The videos and stills; faults are added to `faults`."""
        numbers = {key: number for number, key in enumerate(categories)}
        return [
            self._clip(name, split, images, numbers, outside) for name, images in self._grouped() if images
        ]

    def _grouped(self) -> list[tuple[str, list[dict]]]:
        """Clip name → its images, in order."""
        names = {video["id"]: str(video["name"]) for video in self._videos}
        of_video, stills = defaultdict(list), []
        for image in self._images:
            if image.get("video_id") is None:
                stills.append((Path(image["file_name"]).with_suffix("").as_posix(), [image]))
            else:
                of_video[image["video_id"]].append(image)
        strangers = of_video.keys() - names.keys()
        self._say(f"images of video {key}, which is not there" for key in sorted(strangers, key=str))
        self._say(f"video {names[key]} holds no image" for key in names.keys() - of_video.keys())
        for key, images in of_video.items():
            self._check_order(names.get(key, str(key)), images)
        grouped = [(names[key], images) for key, images in of_video.items() if key in names]
        return [(name.strip("/").replace("/", "-"), images) for name, images in grouped + stills]

    def _check_order(self, video: str, images: list[dict]) -> None:
        for before, after in pairwise(image.get("frame_id") for image in images):
            if before is None or after is None:
                self._say([f"video {video}: an image has no frame_id"])
            elif after != before + 1:
                self._say([f"video {video}: frame {after} comes after frame {before}; expected {before + 1}"])

    def _clip(
        self, name: str, split: str, images: list[dict], numbers: dict[int, int], outside: str
    ) -> BoxClip:
        size = images[0]["height"], images[0]["width"]
        places, found = [], []
        for image in images:
            place = self.file.images / image["file_name"]
            if (image["height"], image["width"]) != size:
                self._say([f"{place}: its size is not that of its video's first image, {size[0]}×{size[1]}"])
            elif fault := picture_fault(place, size):
                self._say([fault])
            places.append(place)
            found.append(self._objects_of(image, numbers, outside))
        return BoxClip(name, split, size, tuple(places), tuple(found))

    def _objects_of(self, image: dict, numbers: dict[int, int], outside: str) -> Objects:
        where = f"image {image['id']} ({image['file_name']})"
        entries = self._objects[image["id"]]
        found = {entry["id"]: _entry_fault(entry, numbers) for entry in entries}
        self._say(f"{where}: annotation {key}: {fault}" for key, fault in found.items() if fault)
        entries = [entry for entry in entries if not found[entry["id"]]]
        objects = _objects(entries, numbers)
        size = image["height"], image["width"]
        if outside == "clip":
            objects, cut = clipped(objects, size)
            self.cut += cut
        self._say(object_faults(objects, size, where))
        return objects

    def _say(self, faults: Iterable[str]) -> None:
        self.faults += [f"{self.file.annotations}: {fault}" for fault in faults]


def _load(file: CocoFile, faults: list[str]) -> _Loaded | None:
    """The content of a file, or None and faults where it is not of this form."""
    try:
        content = read_json(Path(file.annotations), remedy="mend it", most_bytes=MOST_ANNOTATION_BYTES)
        lacking = [
            f"{part}: an entry has no {key}"
            for part, keys in _NEEDED.items()
            for key in keys
            if any(key not in entry for entry in content[part])
        ]
        lacking += [] if content["categories"] else ["there are no categories"]
        lacking = lacking or list(odd_values(content))
        faults += [f"{file.annotations}: {fault}" for fault in lacking]
        return None if lacking else _Loaded(file, content)
    except KeyError as error:
        faults.append(
            f"{file.annotations} has no {error.args[0]!r}; expected {', '.join(_NEEDED)} and videos"
        )
    except (TypeError, AttributeError) as error:
        faults.append(f"{file.annotations} is not COCO-style JSON ({error})")
    except ValueError as error:
        faults.append(str(error))
    return None


def _common_categories(files: list[_Loaded], faults: list[str]) -> dict[int, str]:
    """Id → name, in order of the ids; all files must agree."""
    first = files[0]
    for file in files[1:]:
        if file.categories != first.categories:
            faults.append(f"{file.file.annotations}: categories differ from {first.file.annotations}'s")
    counted = Counter(first.categories.values())
    faults += [
        f"{first.file.annotations}: {n} categories are named {name}" for name, n in counted.items() if n > 1
    ]
    return dict(sorted(first.categories.items()))


def _entry_fault(entry: dict, numbers: dict[int, int]) -> str | None:
    if entry["category_id"] not in numbers:
        return f"category {entry['category_id']} is not among the categories"
    box, track = entry["bbox"], _track(entry)
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(edge, int | float) for edge in box):
        return f"bbox {box} is not [x, y, width, height]"
    return None if isinstance(track, int) else f"track {track!r} is not a whole number"


def _track(entry: dict) -> int:
    return entry.get("track_id", entry.get("instance_id", NO_TRACK))


def _objects(entries: list[dict], numbers: dict[int, int]) -> Objects:
    corners = [(x, y, x + width, y + height) for x, y, width, height in (entry["bbox"] for entry in entries)]
    return Objects(
        boxes=corners,
        classes=[numbers[entry["category_id"]] for entry in entries],
        tracks=[_track(entry) for entry in entries],
        occluded=[entry.get("occluded", False) for entry in entries],
        generated=[entry.get("generated", False) for entry in entries],
        crowd=[entry.get("iscrowd", False) for entry in entries],
    )
