"""A few frames of a data set that every stage can run on: part of its manifest."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from deltadistill.data.box_files import read_box_file
from deltadistill.data.manifest import SPLITS, Frame, Manifest

Clip = Sequence[Frame]


def excerpt(manifest: Manifest, *, frames: int, clips: int = 2) -> Manifest:
    """`clips` clips to train on and one each to tune and test on, of `frames` frames each.

    Their last frame has a label where the data set has labels, and an object in some frame where it has
    boxes; a still is trained on beside them where there is one. ValueError names a split that has no such
    clip.
    """
    rows: list[Frame] = []
    names = [entry.name for entry in manifest.info.classes]
    for split in SPLITS:
        cut = (_cut(clip, frames) for clip in manifest.clips(split).values())
        fitting = (clip for clip in cut if clip and _shows_something(clip, names))
        chosen = _first(fitting, clips if split == "train" else 1)
        if not chosen:
            raise ValueError(
                f"no clip of the split {split} has {frames} frames in a row with something annotated in them"
            )
        rows += [frame for clip in chosen for frame in clip]
    stills = (clip for clip in manifest.clips("train").values() if len(clip) == 1 < frames)
    rows += [frame for clip in _first(stills, 1) for frame in clip]
    return Manifest.of(rows, manifest.info)


def _first(clips: Iterable[Clip], count: int) -> list[Clip]:
    return [clip for clip, _ in zip(clips, range(count), strict=False)]


def _cut(clip: Clip, frames: int) -> Clip:
    """So many frames of a clip, ending at its first label, counted from 0; none where it is too short."""
    labelled = [index for index, frame in enumerate(clip) if frame.label and index >= frames - 1]
    end = labelled[0] + 1 if labelled else frames
    kept = clip[end - frames : end]
    if len(kept) < frames:
        return ()
    # box files name frames by their index, and are only there where every frame counts from the first
    return kept if kept[0].boxes else [replace(frame, index=index) for index, frame in enumerate(kept)]


def _shows_something(clip: Clip, names: Sequence[str]) -> bool:
    if clip[0].boxes is None or clip[-1].label:
        return True
    objects, _ = read_box_file(clip[0].boxes, names)
    return any(len(objects[frame.index]) for frame in clip if frame.index in objects)
