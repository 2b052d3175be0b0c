"""The pipeline's own trainings, whose curves must not depend on how many processes share a batch.

    torchrun --nproc-per-node 2 equal_recipes.py FILE

Real networks on clips of a data set on disk, augmented, with a search that has a target to meet, judged on
the tune split. The first process writes the curves and what was found to FILE.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest import mock

import torch
from data.small_box_dataset import make_box_manifest
from data.small_dataset import SIZE, make_manifest
from ruamel.yaml import YAML
from tasks.detectors import OPTIONS, make_sure

from deltadistill import models
from deltadistill.data.frames import FrameStore
from deltadistill.pipeline import params
from deltadistill.pipeline.params import Params
from deltadistill.pipeline.recipe_of_distillation import distill
from deltadistill.pipeline.recipe_per_frame import train_per_frame
from deltadistill.pipeline.training_run import Trained, TrainingRun
from deltadistill.processes import group as processes
from deltadistill.processes.group import ALONE, Group
from deltadistill.tasks import of_dataset as tasks
from deltadistill.tasks.anchors import AnchorMaps, AnchorTargets
from deltadistill.tasks.segmentation import Segmentation
from deltadistill.training.passes import Passes

ROOT = Path(__file__).resolve().parents[2]
STEPS = 6
BOXES = {"min_score": 0.01, "max_iou": 0.5, "candidates": 200, "max_detections": 20, "shown_score": 0.3}


def settings(crop: tuple[int, int], **students: str) -> Params:
    content = YAML(typ="safe").load(ROOT / "params.yaml")
    small = {"batch": 4, "augment": {"crop": [*crop], "scale": [0.8, 1.2], "flip": True}}
    for section in ("pretrain_teacher", "distill"):
        content[section] |= small | {"steps": STEPS, "evaluate_every": STEPS // 2}
    content["distill"]["max_distance"] = 2
    content["distill"]["students"] |= students
    content["distill"]["search"]["target"] = {"cost": 0.8, "length": 3}
    return params.parse(content)


def street_network(classes: int) -> torch.nn.Module:
    torch.manual_seed(0)
    return models.build("ddrnet23_slim", classes=classes, width=8, stem_strides=[2, 1]).eval()


def teacher_on_label_maps(folder: Path, run: TrainingRun) -> Trained:
    store = FrameStore(make_manifest(folder, clips={"train": 4, "tune": 2}))
    network, task = street_network(len(store.classes)), Segmentation(len(store.classes))
    outcome = train_per_frame(network, task, store, settings(SIZE).pretrain_teacher, seed=0, run=run)
    return Trained(network, outcome)


def delta_on_label_maps(folder: Path, run: TrainingRun) -> Trained:
    store = FrameStore(make_manifest(folder, clips={"train": 4, "tune": 2}))
    teacher, task = street_network(len(store.classes)), Segmentation(len(store.classes))
    how = settings(SIZE).distill
    return distill(teacher, task, store, how, predicts="delta", seed=0, run=run)


def on_boxes(folder: Path, run: TrainingRun, **method: str | bool) -> Trained:
    store = FrameStore(make_box_manifest(folder, clips={"train": 4, "tune": 2}))
    torch.manual_seed(0)
    with default_of(torch.float32):  # with these weights some boxes are right, so that there is a score
        teacher = models.build("efficientdet_d0", classes=2, **OPTIONS["efficientdet_d0"]).eval()
    make_sure(teacher.to(torch.get_default_dtype()), -0.5)
    task = tasks.build(store.manifest.info, boxes=BOXES)
    how = settings(store.manifest.info.size, where="published_convolutions", rank="min").distill
    return distill(teacher, task, store, how, seed=0, run=run, **method)


KINDS = {
    "teacher on label maps": teacher_on_label_maps,
    "delta on label maps": delta_on_label_maps,
    "delta on boxes": partial(on_boxes, predicts="delta"),
    "features near objects": partial(on_boxes, predicts="feature", fgfi=True),
}


@contextmanager
def default_of(precision: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(precision)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def everything_in_float64() -> Iterator[None]:
    """Inside, networks and losses are computed in float64, in which an order of sums shows nowhere.

    effdet brings what its loss is given to float32, and matches boxes with anchors in float32 alone. The
    latter is done for each frame by itself, so that it is the same in every process.
    """
    match, loss = AnchorMaps.targets, AnchorMaps.loss

    def matched(*given: object) -> AnchorTargets:
        with default_of(torch.float32):
            return match(*given)

    def exact_loss(*given: object) -> torch.Tensor:
        with mock.patch.object(torch.Tensor, "float", torch.Tensor.double):
            return loss(*given)

    patched = mock.patch.multiple(AnchorMaps, targets=matched, loss=exact_loss)
    with default_of(torch.float64), patched:
        yield


def curves(group: Group = ALONE) -> dict:
    """By training: its curve, the best by the tune split, and the candidates that the search chose."""
    found = {}
    for name, train in KINDS.items():
        with everything_in_float64(), tempfile.TemporaryDirectory() as folder:
            trained = train(Path(folder), TrainingRun(passes=Passes(group)))
        chosen = (trained.architecture or {}).get("blocks", {})
        best = [trained.outcome.best_step, trained.outcome.best_score]
        found[name] = {"curve": trained.outcome.curve, "best": best, "chosen": dict(chosen)}
    return found


if __name__ == "__main__":
    with processes.joined() as joined:
        found = curves(joined)
        if joined.is_first:
            Path(sys.argv[1]).write_text(json.dumps(found))
