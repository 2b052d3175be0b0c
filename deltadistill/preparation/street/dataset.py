"""Writes generated clips as files in the layout of Cityscapes, with flow and boxes beside.

leftImg8bit_sequence/<split>/<city>/<city>_<seq>_<frame>_leftImg8bit.png
gtFine/<split>/<city>/<city>_<seq>_<frame>_gtFine_labelIds.png      on every frame
flow/<split>/<city>/<city>_<seq>_<frame>_flow.npz                   from the second frame of a clip on
boxes/<split>/<city>/<city>_<seq>_boxes.json                        frame → list of {id, class, box}
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deltadistill.preparation.stored_png import write_png
from deltadistill.preparation.street.clip import render_clip
from deltadistill.preparation.workers import spread_out

SPLITS = {"train": "traintown", "tune": "tunetown", "test": "testtown"}  # split → its one city


@dataclass(frozen=True)
class ClipJob:
    """One clip to write; picklable, so that any process can do it."""

    root: Path
    split: str
    number: int
    frames: int
    height: int
    width: int
    seed: int
    noise: float


def write_street(
    root: Path,
    clips: dict[str, int],
    *,
    frames: int,
    height: int,
    width: int,
    seed: int,
    noise: float,
    workers: int,
    progress: Callable[[int], object] = lambda frames: None,
) -> None:
    """Write `clips[split]` clips of each split under `root`; `progress` is called with frames just written.

    Equal arguments give equal files, whatever `workers` is.
    """
    jobs = [
        ClipJob(root, split, number, frames, height, width, seed, noise)
        for split, count in clips.items()
        for number in range(count)
    ]
    for count in spread_out(write_clip, jobs, workers=workers):
        progress(count)


def write_clip(job: ClipJob) -> int:
    """Render and write one clip; returns its number of frames."""
    city = SPLITS[job.split]
    folders = {
        name: job.root / name / job.split / city
        for name in ("leftImg8bit_sequence", "gtFine", "flow", "boxes")
    }
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    key = (job.seed, list(SPLITS).index(job.split), job.number)
    clip = f"{city}_{job.number:06d}"
    boxes = {}
    rendered = render_clip(key, frames=job.frames, height=job.height, width=job.width, noise=job.noise)
    for index, frame in enumerate(rendered):
        stem = f"{clip}_{index:06d}"
        write_png(folders["leftImg8bit_sequence"] / f"{stem}_leftImg8bit.png", frame.image)
        write_png(folders["gtFine"] / f"{stem}_gtFine_labelIds.png", frame.label_ids)
        if index > 0:
            flow = np.clip(frame.flow, -1e4, 1e4).astype(np.float16)
            np.savez(folders["flow"] / f"{stem}_flow.npz", flow=flow, valid=frame.valid)
        boxes[str(index)] = frame.boxes
    (folders["boxes"] / f"{clip}_boxes.json").write_text(json.dumps(boxes, separators=(",", ":")) + "\n")
    return job.frames
