"""What can be looked at before anything runs: parameters, data, weights, disk, memory."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import torch

from check.estimates import Sizes, disk, memory
from check.findings import Finding, gib
from deltadistill import models
from deltadistill.data.manifest import Manifest
from deltadistill.pipeline import preflight
from deltadistill.pipeline.dataset_kinds import make_dataset
from deltadistill.pipeline.params import NO_WEIGHTS, OWN_WEIGHTS, Params
from deltadistill.stored.weights import load_weights

ROOT = Path(__file__).resolve().parents[2]
_SHOWN_FAULTS = 20


def look_at_parameters(path: Path) -> Finding:
    """Whether the network can be built and every search be reached."""
    try:
        preflight.check(path)
    except ValueError as error:
        return Finding("parameters", "cannot work", "a network and a search that can", str(error))
    return Finding("parameters", "network and search fit", "the same")


def look_at_data(params: Params, folder: Path) -> tuple[Finding, Manifest | None]:
    """Read the whole data set as the stage does: every annotation, every picture's header and end.

    What the reader writes, such as box files, goes into `folder`.
    """
    section = params.prepare_dataset
    needed = f"kind {section.kind} as docs/data.md describes it" + _place(section)
    try:
        manifest = make_dataset(section, folder)
    except (ValueError, OSError) as error:
        lines = str(error).splitlines()
        told = "\n    ".join([*lines[:_SHOWN_FAULTS], *(["…"] if len(lines) > _SHOWN_FAULTS else [])])
        return Finding("data", f"{max(1, len(lines) - 1)} fault(s)", needed, told), None
    counts = manifest.counts()
    found = ", ".join(
        f"{split} {counts['clips'][split]} clips, {counts['frames'][split]} frames, "
        f"{counts['labelled'][split]} annotated"
        for split in counts["clips"]
    )
    empty = [split for split, clips in counts["clips"].items() if not clips]
    todo = f"nothing in {', '.join(empty)}; name other parts of the data set" if empty else None
    return Finding("data", found, needed, todo), manifest


def _place(section: Any) -> str:
    root = getattr(getattr(section, section.kind), "root", None)
    return f", at prepare_dataset.{section.kind}.root: {root}" if root else ""


def look_at_weights(params: Params, classes: int) -> Finding:
    """Whether what the teacher starts from is there and fits the network, by name and shape."""
    start, strict = params.pretrain_teacher.start_from, params.pretrain_teacher.steps == 0
    if start == NO_WEIGHTS:
        return Finding("weights", "none, as configured", "none")
    if start == OWN_WEIGHTS:  # the network was built, so they are there
        return Finding("weights", f"those that {params.model.name} comes with", "the same")
    needed = f"{start} with {'every weight' if strict else 'weights'} of {params.model.name}"
    try:
        network = models.build(params.model.name, classes=classes, **params.model.options)
        loaded = load_weights(network, start, strict=strict)
    except ValueError as error:
        todo = f"{error}; the experiment's comment says what can stand there (weights/random: nothing)"
        return Finding("weights", "not usable", needed, todo)
    random = f"; random stay {', '.join(loaded.missing[:5])}" + (" …" if len(loaded.missing) > 5 else "")
    found = f"{len(loaded.loaded)} tensors, {len(loaded.unused)} unused" + (random if loaded.missing else "")
    return Finding("weights", found, needed)


def look_at_labeller(params: Params) -> Iterator[Finding]:
    """Whether the network that label_frames takes is there, where there is that stage."""
    mine = params.label_frames
    if mine.folders:
        there = Path(mine.network).is_file()
        todo = None if there else "put it there, or set label_frames.folders to []"
        yield Finding("labeller", "there" if there else "no such file", mine.network, todo)


def look_at_disk(params: Params, found: Sizes, manifest: Manifest | None) -> Finding:
    """Free space beside what checkpoints, networks and box files will take."""
    boxes = sum(frame.boxes is not None for frame in manifest.frames) if manifest else 0
    needed, free = disk(params, found, boxes), shutil.disk_usage(ROOT).free
    todo = None if free > needed else f"make {gib(needed - free)} free on the disk of {ROOT}"
    return Finding("disk", f"{gib(free)} free", f"{gib(needed)}, estimated", todo)


def look_at_memory(params: Params, found: Sizes) -> Iterator[Finding]:
    """Memory of the smallest GPU, or of the machine, beside what a step takes by the sizes of its maps."""
    gpus = torch.cuda.device_count()
    where, there = "this machine", psutil.virtual_memory().available
    if gpus:
        where = "the smallest GPU"
        there = min(torch.cuda.get_device_properties(number).total_memory for number in range(gpus))
    yield Finding("GPUs", str(gpus) if gpus else "none: steps take hours, not seconds", "see the experiment")
    for stage, needed in memory(params, found, max(gpus, 1)).items():
        fewer = "set training.frames_at_once to fewer frames (docs/clusters.md), or use more or larger GPUs"
        todo = None if needed < there else fewer
        yield Finding(f"memory of {stage}", f"{gib(there)} of {where}", f"{gib(needed)}, estimated", todo)
