"""Labels for a data set's unlabelled training frames, kept one by one, then put together as a data set.

Each label is written whole or not at all, so whoever is killed goes on with the frames that have none yet.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from deltadistill.data.frames import FrameStore, normalise
from deltadistill.data.label_table import IGNORE, label_ids_to_classes
from deltadistill.data.manifest import PSEUDO, Frame, Manifest
from deltadistill.data.picture import decode_picture
from deltadistill.files import atomic
from deltadistill.processes.group import ALONE, Group

_LOOKED_AT = 500  # labels that the shares of the classes are taken from

Places = Mapping[Frame, Path]
Label = Callable[[Tensor], np.ndarray]  # normalised frames (N, 3, H, W) → label ids uint8 (N, H, W)


def places_of_labels(manifest: Manifest) -> dict[Frame, Path]:
    """Every training frame without a label, and the relative path that its pseudo-label gets.

    Raises ValueError for a data set without label maps, and where there is no such frame.
    """
    if (found := manifest.info.annotation) != "label_maps":
        raise ValueError(f"a data set of kind {manifest.info.kind} has {found}; only label maps can be made")
    clips = manifest.clips("train").values()
    places = {
        frame: Path("labels", f"{number:05d}", f"{frame.index:06d}.png")
        for number, clip in enumerate(clips)
        for frame in clip
        if frame.label is None
    }
    if not places:
        raise ValueError(
            "every frame of the split train has a label, so there is nothing to do; "
            "set label_frames.folders to []"
        )
    return places


def label_frames(
    store: FrameStore,
    places: Places,
    folder: Path,
    label: Label,
    *,
    batch: int,
    group: Group = ALONE,
    on_frames: Callable[[int], None] = lambda count: None,
) -> None:
    """Write the label of every frame that has none yet below `folder`, at its place.

    group: processes that share the frames. on_frames: is told how many are done, first of all those that
    were there, then those of each batch, all processes' where they work side by side.
    """
    items = list(places.items())
    # Whole batches, even where a label of one is there: the composition decides the last bits.
    batches = [items[start : start + batch] for start in range(0, len(items), batch)]
    waiting = [some for some in batches if not all((folder / place).is_file() for _, place in some)]
    waiting = group.of_first(waiting)  # another process may already be at work
    on_frames(len(items) - sum(map(len, waiting)))
    for number in group.share(len(waiting)):
        frames = normalise(torch.stack([store.image(frame) for frame, _ in waiting[number]]))
        for (_, place), ids in zip(waiting[number], label(frames), strict=True):
            write_label(folder / place, ids)
        on_frames(sum(map(len, waiting[number : number + group.size])))
    group.wait()


def write_label(path: Path, ids: np.ndarray) -> None:
    """Write label ids uint8 (H, W) as a PNG file, whole or not at all."""
    done, content = cv2.imencode(".png", ids)
    assert done
    with atomic.file(path) as beside:
        atomic.write_bytes(beside, content.tobytes())


def put_together(manifest: Manifest, places: Places, folder: Path, target: Path) -> Manifest:
    """Make the data set `target`: that of `manifest`, with the labels below `folder` taken over.

    Pictures and true labels stay where they are. Returns the new manifest.
    """
    with atomic.folder(target) as beside:
        for place in places.values():
            _take_over(folder / place, beside / place)
        frames = [
            replace(frame, label=beside / places[frame], origin=PSEUDO) if frame in places else frame
            for frame in manifest.frames
        ]
        Manifest.of(frames, manifest.info).write(beside / "manifest.csv")
    return Manifest.read(target / "manifest.csv")


def class_shares(manifest: Manifest, labels: Iterable[Path]) -> dict[str, float]:
    """The share of the pixels that each class has in the labels, the rest under "ignored".

    Of many labels, some hundreds are looked at, evenly spread.
    """
    paths = list(labels)
    to_class = label_ids_to_classes(manifest.info.classes)
    counts = np.zeros(256, np.int64)
    for path in paths[:: -(-len(paths) // _LOOKED_AT)]:
        ids = decode_picture(path, cv2.IMREAD_UNCHANGED, size=manifest.info.size)
        counts += np.bincount(to_class[ids].ravel(), minlength=256)
    names = {index: entry.name for index, entry in enumerate(manifest.info.classes)} | {IGNORE: "ignored"}
    return {name: float(counts[index] / counts.sum()) for index, name in names.items()}


def _take_over(source: Path, target: Path) -> None:
    """A second name for the same bytes where the file system can; the first goes when all is done."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
