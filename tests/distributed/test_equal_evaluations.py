"""Evaluation stages shared by two processes write what one writes, byte for byte."""

import json

import numpy as np
import pytest
import torch
from data.small_dataset import make_manifest
from distributed.launching import ROOT, start
from ruamel.yaml import YAML

import deltadistill as dd
from deltadistill import models
from deltadistill.blocks.designs import student_design
from deltadistill.conversion import delta_blocks
from deltadistill.evaluation.sharing import share, turns
from deltadistill.launch import PROCESSES
from deltadistill.metrics.miou import ConfusionMatrix
from deltadistill.network_file import save_network
from deltadistill.processes import ALONE, Group
from deltadistill.tasks import Segmentation

MODEL = {"name": "ddrnet23_slim", "classes": 8, "options": {"width": 8, "stem_strides": [2, 1]}}
STAGES = ("sweep_sequence_length", "analyze_consistency")
FILES = {
    "sweep_sequence_length": ("sweep.json", "sweep.csv", "examples.npz"),
    "analyze_consistency": ("consistency.json", "consistency.csv"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data set of five test clips, of which batches of two make three; networks and parameters."""
    folder = tmp_path_factory.mktemp("evaluations")
    (folder / "data").mkdir()
    make_manifest(folder / "data", clips={"train": 1, "tune": 1, "test": 5}, flow=True).write(
        folder / "data" / "manifest.csv"
    )
    torch.manual_seed(0)
    teacher = models.build(MODEL["name"], classes=MODEL["classes"], **MODEL["options"]).eval()
    save_network(folder / "teacher.pt", teacher, MODEL)
    design = {"kind": "linear", "gamma": 2, "rank": "out", "multiple": 1, "initialisation": "svd"}
    students = student_design(design)
    network = dd.convert(teacher, students, dd.inner_convolutions)
    for block in delta_blocks(network).values():
        block.decide("compressed")
    deployed = dd.deploy(network)
    architecture = dd.found_architecture(deployed, students)
    save_network(folder / "delta.pt", deployed, MODEL, architecture=architecture)
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    params["sweep_sequence_length"] |= {"lengths": [1, 2, 3], "batch": 2, "example_clips": 2}
    params["analyze_consistency"] |= {"batch": 2, "dis_preset": "ultrafast"}
    params["write_report"]["picture_lengths"] = [2, 3]
    YAML().dump(params, folder / "params.yaml")
    return folder


def start_stage(stage, folder, processes):
    out = folder / stage / processes
    common = ["--params", folder / "params.yaml", "--data", folder / "data", "--variant", "delta"]
    common += ["--network", folder / "delta.pt", "--results", out]
    if stage == "sweep_sequence_length":
        common += ["--teacher", folder / "teacher.pt", "--artifacts", out]
    return start(ROOT / "stages" / f"{stage}.py", *common, **{PROCESSES: processes})


@pytest.mark.parametrize("stage", STAGES)
def test_two_processes_write_what_one_writes(stage, folder):
    running = {processes: start_stage(stage, folder, processes) for processes in ("1", "2")}
    for started in running.values():
        said = started.communicate(timeout=120)[1]
        assert started.returncode == 0, said
    for name in FILES[stage]:
        one, two = ((folder / stage / processes / name) for processes in running)
        if name.endswith(".npz"):  # an archive notes the time
            arrays = [dict(np.load(path)) for path in (one, two)]
            assert all(np.array_equal(arrays[0][key], arrays[1][key]) for key in arrays[0] | arrays[1])
        else:
            assert one.read_bytes() == two.read_bytes()
    provenance = json.loads((folder / stage / "2" / "provenance.json").read_text())
    assert provenance["stage"] == stage


def test_every_batch_is_taken_once_in_as_many_turns_everywhere():
    batches = ["a", "b", "c", "d", "e"]
    groups = [Group(rank, 3) for rank in range(3)]
    assert sorted(batch for group in groups for batch in share(batches, group)) == batches
    assert [list(turns(batches, group)) for group in groups] == [
        [["a"], ["d"]],
        [["b"], ["e"]],
        [["c"], []],
    ]
    assert list(turns(batches, ALONE)) == [[batch] for batch in batches]


def test_counts_of_one_process_stay_as_they_are():
    matrix = ConfusionMatrix(2)
    matrix.update(torch.tensor([0, 1]), torch.tensor([1, 1]))
    Segmentation(2).add_up([matrix], ALONE)
    assert matrix.counts.tolist() == [[0, 0], [1, 1]]
