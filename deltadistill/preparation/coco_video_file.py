"""Writes a data set's boxes as COCO-style video JSON (the form is in coco_video.py), one entry a line.

Stills stand in a file of their own, since public loaders ask every image of a video file for its video.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from deltadistill.data.box_files import FLAGS, read_box_file
from deltadistill.data.boxes import NO_TRACK, Objects, area
from deltadistill.data.manifest import SPLITS, Frame, Manifest
from deltadistill.files import atomic


def write_coco_video(manifest: Manifest, folder: Path) -> list[Path]:
    """Write `<split>.json` and, where a split has stills, `<split>_stills.json`; returns what was written.

    File names are relative to `folder`'s parent where the pictures lie below it, or else absolute. Ids count
    from 1; category ids are class indices + 1. `track_id` is the object's number in its clip, `instance_id`
    one for the whole file. `is_vid_train_frame` tells loaders of ImageNet VID what may be trained on.
    """
    written = []
    for split in SPLITS:
        clips = list(manifest.clips(split).values())
        videos = [clip for clip in clips if len(clip) > 1]
        stills = [clip for clip in clips if len(clip) == 1]
        for name, own in ((split, videos), (f"{split}_stills", stills)):
            if own:
                written.append(folder / f"{name}.json")
                _write(written[-1], own, manifest)
    return written


@dataclass
class _Counters:
    image: int = 0
    annotation: int = 0
    instance: int = 0


def _write(path: Path, clips: list[tuple[Frame, ...]], manifest: Manifest) -> None:
    parts = {
        "videos": (_video(number, clip) for number, clip in _numbered(clips) if len(clip) > 1),
        "categories": (
            {"id": index + 1, "name": entry.name} for index, entry in enumerate(manifest.info.classes)
        ),
        "images": _images(clips, manifest, path.parent.parent.absolute()),
        "annotations": _annotations(clips, manifest),
    }
    with atomic.file(path) as beside, beside.open("w", encoding="utf-8") as file:
        file.write("{")
        for number, (name, entries) in enumerate(parts.items()):
            file.write(f"{',' if number else ''}\n{json.dumps(name)}: [")
            for place, entry in enumerate(entries):
                file.write(f"{',' if place else ''}\n{json.dumps(entry, separators=(',', ':'))}")
            file.write("]")
        file.write("}\n")


def _numbered(clips: list[tuple[Frame, ...]]) -> Iterable[tuple[int, tuple[Frame, ...]]]:
    return enumerate(clips, start=1)


def _video(number: int, clip: tuple[Frame, ...]) -> dict:
    return {"id": number, "name": clip[0].clip}


def _images(clips: list[tuple[Frame, ...]], manifest: Manifest, top: Path) -> Iterator[dict]:
    counters = _Counters()
    for number, clip in _numbered(clips):
        _, size = _boxes(clip, manifest)
        height, width = size or manifest.info.size
        for frame in clip:
            counters.image += 1
            image = frame.image.absolute()
            name = image.relative_to(top) if image.is_relative_to(top) else image
            entry = {"id": counters.image, "file_name": name.as_posix(), "height": height, "width": width}
            if len(clip) > 1:
                entry |= {"video_id": number, "frame_id": frame.index}
            yield entry | {"is_vid_train_frame": frame.split != "test"}


def _annotations(clips: list[tuple[Frame, ...]], manifest: Manifest) -> Iterator[dict]:
    counters = _Counters()
    for number, clip in _numbered(clips):
        objects, _ = _boxes(clip, manifest)
        instances: dict[int, int] = {}
        for frame in clip:
            counters.image += 1
            for entry in _of_frame(objects.get(frame.index, Objects([], [])), instances, counters):
                yield entry | ({"video_id": number} if len(clip) > 1 else {})


def _of_frame(objects: Objects, instances: dict[int, int], counters: _Counters) -> Iterator[dict]:
    for place, (x0, y0, x1, y1) in enumerate(objects.boxes.tolist()):
        counters.annotation += 1
        entry = {
            "id": counters.annotation,
            "image_id": counters.image,
            "category_id": int(objects.classes[place]) + 1,
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "area": float(area(objects.boxes[place : place + 1])[0]),
            "iscrowd": int(objects.crowd[place]),
        }
        entry |= {flag: bool(getattr(objects, flag)[place]) for flag in FLAGS if flag != "crowd"}
        track = int(objects.tracks[place])
        if track != NO_TRACK:
            if track not in instances:
                counters.instance += 1
                instances[track] = counters.instance
            entry |= {"track_id": track, "instance_id": instances[track]}
        yield entry


def _boxes(clip: tuple[Frame, ...], manifest: Manifest) -> tuple[dict[int, Objects], tuple[int, int] | None]:
    if clip[0].boxes is None:
        return {}, None
    return read_box_file(clip[0].boxes, [entry.name for entry in manifest.info.classes])
