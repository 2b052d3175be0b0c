"""Evaluation stages shared by two processes write what one writes, byte for byte, interrupted or not."""

import json
import os
import re
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from data.small_box_dataset import make_box_manifest
from data.small_dataset import make_manifest
from distributed.launching import ROOT, start
from ruamel.yaml import YAML
from tasks import detectors
from tasks.detectors import EFFICIENTDET

import deltadistill as dd
from deltadistill import models
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.designs import student_design
from deltadistill.metrics.counters import add_up
from deltadistill.metrics.miou import ConfusionMatrix
from deltadistill.processes.group import ALONE, Group
from deltadistill.processes.launch import PROCESSES
from deltadistill.stored.network_file import save_network

FILES = {
    "sweep_sequence_length": ("sweep.json", "sweep.csv", "examples.npz"),
    "analyze_consistency": ("consistency.json", "consistency.csv"),
}
CLIPS = {"train": 1, "tune": 1, "test": 5}  # batches of two make three
WATCHED = Path(__file__).resolve().parent / "watched"


def label_maps(folder):
    """A data set with labels, a network for it and a delta network."""
    make_manifest(folder / "data", clips=CLIPS, flow=True).write(folder / "data" / "manifest.csv")
    model = {"name": "ddrnet23_slim", "classes": 8, "options": {"width": 8, "stem_strides": [2, 1]}}
    torch.manual_seed(0)
    teacher = models.build(model["name"], classes=model["classes"], **model["options"]).eval()
    save_network(folder / "teacher.pt", teacher, model)
    design = {"kind": "linear", "gamma": 2, "rank": "out", "multiple": 1, "initialisation": "svd"}
    students = student_design(design)
    network = dd.convert(teacher, students, dd.inner_convolutions)
    for block in delta_blocks(network).values():
        block.decide("compressed")
    deployed = dd.deploy(network)
    architecture = dd.found_architecture(deployed, students)
    save_network(folder / "network.pt", deployed, model, architecture=architecture)
    return "delta"


def boxes(folder):
    """A data set with boxes and a detector for it, whose predictions are repeated."""
    make_box_manifest(folder / "data", clips=CLIPS).write(folder / "data" / "manifest.csv")
    model = {"name": "efficientdet_d0", "classes": 2, "options": EFFICIENTDET}
    network = detectors.build(model["name"], classes=2)
    with torch.no_grad():
        network.box_net.predict.conv_pw.weight.mul_(1e-3)  # boxes near the anchors, some of which fit
    for name in ("teacher.pt", "network.pt"):
        save_network(folder / name, network, model)
    return "copy"


@dataclass(frozen=True)
class Evaluation:
    """A stage with all that it reads, in a folder; each run of it has a folder below."""

    stage: str
    folder: Path
    variant: str

    def start(self, run, processes, *, params="params.yaml", **changes):
        """Start the stage; all that its processes write in the run's folder is noted beside it."""
        out = self.folder / run
        out.mkdir(exist_ok=True)
        read = {name: self.folder / f"{name}.pt" for name in ("network", "teacher")}
        read |= {"params": self.folder / params, "data": self.folder / "data"}
        given = {**read, "variant": self.variant, "seed": 0, "results": out, "artifacts": out}
        if self.stage == "analyze_consistency":
            given = {name: given[name] for name in given if name not in ("teacher", "artifacts")}
        watched = {
            "PYTHONPATH": f"{WATCHED}{os.pathsep}{ROOT}", "WATCHED": str(out), "WRITES_TO": f"{out}.log"
        }  # fmt: skip
        options = [part for name, value in given.items() for part in (f"--{name}", value)]
        script = ROOT / "stages" / f"{self.stage}.py"
        return start(script, *options, inside=out, **{PROCESSES: processes}, **watched, **changes)

    def results(self, run):
        """What a run has written, by the file's name."""
        paths = [self.folder / run / name for name in FILES[self.stage]]
        return {path.name: plain(path) for path in paths}

    def writers(self, run):
        """Ranks that have written in a run's folder, and the names of what they wrote."""
        noted = [line.split(" ", 1) for line in (self.folder / f"{run}.log").read_text().splitlines()]
        return {rank for rank, _ in noted}, {Path(path).name for _, path in noted}


def plain(path):
    if path.suffix != ".npz":
        return path.read_bytes()
    with np.load(path) as arrays:  # the archive notes the time
        return {name: (array.dtype, array.shape, array.tobytes()) for name, array in arrays.items()}


def finished(started, code=0):
    said = started.communicate(timeout=120)[1]
    assert started.returncode == code, said
    return said


@pytest.fixture(
    scope="module",
    params=[(stage, make) for make in (label_maps, boxes) for stage in FILES],
    ids=lambda case: f"{case[0]}-{case[1].__name__}",
)
def evaluation(request, tmp_path_factory):
    """An evaluation that has run in one process and in two."""
    stage, make = request.param
    folder = tmp_path_factory.mktemp("evaluation")
    (folder / "data").mkdir()
    variant = make(folder)
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    params["sweep_sequence_length"] |= {"lengths": [1, 2, 3], "batch": 2, "example_clips": 2}
    params["analyze_consistency"] |= {"batch": 2, "dis_preset": "ultrafast"}
    params["write_report"]["picture_lengths"] = [2, 3]
    # every anchor may be a detection, so that some are of an object
    params["boxes"] |= {"min_score": 0.0, "shown_score": 0.0, "max_iou": 0.5, "max_detections": 3000}
    params["boxes"] |= {"candidates": 6000}
    YAML().dump(params, folder / "params.yaml")
    params["training"]["checkpoint_minutes"] = 1e-6  # a part after every turn
    YAML().dump(params, folder / "kept.yaml")
    evaluation = Evaluation(stage, folder, variant)
    with evaluation.start("1", "1") as one, evaluation.start("2", "2") as two:
        finished(one)
        finished(two)
    return evaluation


def test_two_processes_write_what_one_writes(evaluation):
    assert evaluation.results("1") == evaluation.results("2")
    provenance = json.loads((evaluation.folder / "2" / "provenance.json").read_text())
    assert provenance["stage"] == evaluation.stage


def test_the_evaluations_are_such_that_equality_says_something(evaluation):
    text = (evaluation.folder / "1" / FILES[evaluation.stage][0]).read_text()
    assert len({float(number) for number in re.findall(r"\d+\.\d+", text)} - {0.0, 100.0}) >= 3


def test_only_the_first_process_writes(evaluation):
    ranks, names = evaluation.writers("2")
    assert ranks == {"0"}
    assert names >= set(FILES[evaluation.stage])
    assert evaluation.writers("1")[0] == {"alone"}


def test_an_interrupted_one_goes_on_in_another_number_of_processes(evaluation):
    first, then = ("2", "1") if evaluation.stage == "sweep_sequence_length" else ("1", "2")
    started = evaluation.start("interrupted", first, params="kept.yaml", SIGTERM_AT_PART="yes")
    said = finished(started, 128 + signal.SIGTERM)
    assert "evaluation: SIGTERM after" in said
    (kept,) = (evaluation.folder / "interrupted" / ".checkpoints").iterdir()
    assert list(kept.glob("batch*.pt"))
    finished(evaluation.start("interrupted", then, params="kept.yaml"))
    assert evaluation.results("interrupted") == evaluation.results("1")
    assert evaluation.writers("interrupted")[0] <= {"0", "alone"}
    assert not kept.exists()


def test_every_batch_is_taken_once_in_as_many_turns_everywhere():
    batches = ["a", "b", "c", "d", "e"]
    assert [list(Group(rank, 3).turns(batches)) for rank in range(3)] == [
        [["a"], ["d"]],
        [["b"], ["e"]],
        [["c"], []],
    ]
    assert list(ALONE.turns(batches)) == [[batch] for batch in batches]


def test_counts_of_one_process_stay_as_they_are():
    matrix = ConfusionMatrix(2)
    matrix.update(torch.tensor([0, 1]), torch.tensor([1, 1]))
    add_up([matrix], ALONE)
    assert matrix.counts.tolist() == [[0, 0], [1, 1]]
