"""Does the input pipeline keep up with training? Frames per second of both, for label maps and for boxes.

    python benchmarks/input_pipeline.py

Input: batches as pretrain_teacher draws them (read, decode, scale, crop, mirror, stack), by one thread.
"first epoch" decodes every picture, "cached" takes all from memory (training.cache_gib). Step: one optimiser
step on such batches, made before, by one thread as well. Input is to give at least the frames that the step
takes: ratio 1 or more.
Threads read ahead of the step (training.loading_threads); "threads" is the first epoch by as many as there
are processors.

street      generated clips as in params.yaml, the network of its variant "small"
boxes       generated clips with boxes, the detector of experiments/smoke_detection.yaml
cityscapes  1024×2048 frames as compressed PNG, crops of 512×1024, DDRNet-23-slim
vid         720×1280 frames as JPEG, fitted into 512×512, EfficientDet-D0

The data are generated and little; the files are in the operating system's cache from the start. All take
turns within one process, and a figure is the median over the rounds.
"""

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from deltadistill import models
from deltadistill.account import latency
from deltadistill.data.batches import TrainingBatches
from deltadistill.data.frames import FrameStore
from deltadistill.data.label_table import table
from deltadistill.data.manifest import Manifest
from deltadistill.data.transforms import Augment
from deltadistill.pipeline import experiments as overlay
from deltadistill.pipeline import params as parameters
from deltadistill.pipeline.params import Params
from deltadistill.pipeline.training_run import TrainingRun, optimise
from deltadistill.preparation.cityscapes import Layout, read_cityscapes
from deltadistill.preparation.class_table import read_class_table
from deltadistill.preparation.imagenet_vid import read_imagenet_vid
from deltadistill.preparation.street.dataset import write_street
from deltadistill.preparation.street.detection_dataset import Look, write_street_detection
from deltadistill.tasks import of_dataset as tasks
from deltadistill.training.loading import read_ahead
from deltadistill.training.single_frames import PerFrameTraining

ROOT = Path(__file__).resolve().parents[1]
LONG = 10**6  # steps of a training that these steps are the first of
TOGETHER = 8  # batches that threads read in one go
KINDS = ("first epoch", "cached", "threads")


@dataclass(frozen=True)
class Case:
    """A data set, the network that trains on it, and how batches are drawn."""

    params: Params
    manifest: Manifest
    network: nn.Module
    batch: int
    augment: Augment


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"frames per second; {os.cpu_count()} processors")
    print(f"{'':12}{''.join(f'{kind:>14}' for kind in (*KINDS, 'step'))}   ratio in the first epoch, cached")
    for name in arguments.cases:
        with tempfile.TemporaryDirectory(prefix="deltadistill-input-") as folder:
            speeds = measure(CASES[name](Path(folder)), name, arguments.rounds)
        ratios = [speeds[kind] / speeds["step"] for kind in ("first epoch", "cached")]
        shown = "".join(f"{speeds[kind]:14.1f}" for kind in (*KINDS, "step"))
        print(f"{name:12}{shown}   {ratios[0]:.2f}, {ratios[1]:.2f}")


def measure(case: Case, name: str, rounds: int) -> dict[str, float]:
    """Frames per second of the input, in each of KINDS, and of the training step."""
    plain, warm = batches(case, cache_bytes=0), batches(case, cache_bytes=2**34)
    for step in range(len(case.manifest.frames)):  # until every frame has been drawn, most likely
        warm[step]
    calls = {
        "first epoch": reader(plain),
        "cached": reader(warm),
        "threads": lambda: read_several(plain),
        "step": training_step(case, warm),
    }
    found = latency.measure(
        calls, runs=rounds, warmup=1, progress=lambda each: tqdm(each, desc=name, unit="round")
    ).samples_ms
    frames = dict.fromkeys(calls, case.batch) | {"threads": TOGETHER * case.batch}
    return {kind: frames[kind] * 1000 / float(np.median(found[kind])) for kind in calls}


def read_several(source: TrainingBatches) -> None:
    """Read TOGETHER batches, as many at a time as there are processors; none of them lies ready before."""
    with read_ahead(source, range(TOGETHER), threads=os.cpu_count() or 1) as ahead:
        for _ in ahead:
            pass


def batches(case: Case, *, cache_bytes: int) -> TrainingBatches:
    """The batches of pretrain_teacher on the case's train split."""
    return TrainingBatches(
        FrameStore(case.manifest, cache_bytes=cache_bytes), "train", steps=LONG, batch=case.batch,
        clip_length=1, max_distance=0, augment=case.augment, seed=0,
    )  # fmt: skip


def reader(source: TrainingBatches) -> Callable[[], object]:
    """A function that reads the next batch."""
    steps: Iterator[int] = count(LONG // 2)
    return lambda: source[next(steps)]


def training_step(case: Case, source: TrainingBatches) -> Callable[[], object]:
    """A function that does the next step of the per-frame training, on batches that are there."""
    mine = case.params.pretrain_teacher.model_copy(update={"steps": LONG})
    loss = mine.loss.model_dump()
    task = tasks.build(case.manifest.info, boxes=case.params.boxes.model_dump(), loss=loss)
    groups = [(case.network.parameters(), mine.optimiser.learning_rate)]
    training = PerFrameTraining(
        optimise(case.network, groups, mine, run=TrainingRun()), task, tune_score=float
    )
    ready, steps = [source[step] for step in range(4)], count()

    def step() -> None:
        index = next(steps)
        training.step(index, ready[index % len(ready)])

    return step


def street(folder: Path) -> Case:
    """The default experiment, fewer clips."""
    params = parameters.load(ROOT / "params.yaml")
    made = params.prepare_dataset.generated
    write_street(
        folder, {"train": 8, "tune": 1, "test": 1}, frames=made.frames, height=made.height, width=made.width,
        seed=0, noise=made.noise, workers=1, progress=lambda _: None,
    )  # fmt: skip
    options = params.model.options | params.distill.trainings["small"].options
    network = models.build(params.model.name, classes=8, **options)
    augment = Augment(**params.pretrain_teacher.augment.model_dump())
    return Case(params, read_street(folder, made.frames), network, params.pretrain_teacher.batch, augment)


def boxes(folder: Path) -> Case:
    """The smallest detector, at the size of its experiment and with the batch of params.yaml."""
    content = overlay.values_under(ROOT / "experiments" / "smoke_detection.yaml")
    params = parameters.parse(content)
    made = params.prepare_dataset.generated_detection
    manifest = street_with_boxes(folder, (made.height, made.width), (made.height, made.width), clips=8)
    network = models.build(params.model.name, classes=len(manifest.info.classes), **params.model.options)
    augment = Augment(**params.pretrain_teacher.augment.model_dump())
    return Case(
        params, manifest, network, parameters.load(ROOT / "params.yaml").pretrain_teacher.batch, augment
    )


def cityscapes(folder: Path) -> Case:
    """Frames and crops of the published size; PNG as in the data set, compressed."""
    write_street(
        folder, {"train": 1, "tune": 1, "test": 1}, frames=3, height=1024, width=2048,
        seed=0, noise=0.01, workers=1, progress=lambda _: None,
    )  # fmt: skip
    for path in folder.rglob("*.png"):
        cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_UNCHANGED))
    manifest = read_street(folder, 3)
    params = parameters.load(ROOT / "params.yaml")
    network = models.build("ddrnet23_slim", classes=8)
    return Case(params, manifest, network, 2, Augment((512, 1024), (0.5, 2.0), flip=True))


def vid(folder: Path) -> Case:
    """Pictures of a usual video's size, fitted into those of EfficientDet-D0."""
    manifest = street_with_boxes(folder, (720, 1280), (512, 512), clips=1)
    params = parameters.load(ROOT / "params.yaml")
    network = models.build("efficientdet_d0", classes=len(manifest.info.classes), image_size=[512, 512])
    return Case(params, manifest, network, 2, Augment((512, 512), (1.0, 1.0), flip=True))


def read_street(folder: Path, frames: int) -> Manifest:
    """Generated clips with label maps."""
    return read_cityscapes(
        folder, kind="generated", classes=table("street_8"), layout=Layout(frames, None),
        train=["train"], tune=["tune"], test=["test"],
    )  # fmt: skip


def street_with_boxes(folder: Path, drawn: tuple[int, int], size: tuple[int, int], *, clips: int) -> Manifest:
    """Generated clips with boxes, drawn at one size (height, width) and fitted into another."""
    counts = {"train": clips, "tune": 1, "val": 1, "stills": 2}
    look = Look(*drawn, noise=0.02, seed=0, smallest=6, visible=0.25)
    write_street_detection(folder, counts, frames=4, look=look, workers=1, progress=lambda _: None)
    found = read_class_table(ROOT / "class_tables" / "street_boxes.csv")
    return read_imagenet_vid(
        folder, folder, kind="generated_detection", table=found, size=size,
        train=["train"], tune=["tune"], test=["val"], stills=["train"],
    )  # fmt: skip


CASES = {"street": street, "boxes": boxes, "cityscapes": cityscapes, "vid": vid}

if __name__ == "__main__":
    main()
