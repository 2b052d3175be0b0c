"""Method pooled: a student that pools earlier is made, learns, is stored and comes back."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML

from deltadistill import models
from deltadistill.data.frames import FrameStore
from deltadistill.pipeline import params
from deltadistill.pipeline.recipe_by_method import train_network
from deltadistill.pipeline.training_run import TrainingRun
from deltadistill.preparation.encoded_picture import write_picture
from deltadistill.preparation.image_folder import read_image_folder
from deltadistill.stored.architecture import load_network
from deltadistill.stored.network_file import save_network
from deltadistill.tasks.classification import Classification

ROOT = Path(__file__).resolve().parents[2]
SIZE = (16, 16)
MODEL = {"name": "small_resnet", "classes": 2, "options": {"width": 4, "stem_stride": 1}}
RED = {"method": "pooled", "student": {"factor": 2}}
RIVAL = {"method": "pooled", "student": {"factor": 2, "red_blocks": "none", "start": "random"}}


@pytest.fixture
def store(tmp_path):
    draws = np.random.default_rng(0)
    for split, shown, number in [(s, c, n) for s in ("train", "test") for c in ("a", "b") for n in range(4)]:
        write_picture(
            tmp_path / split / shown / f"{number}.png", draws.integers(0, 255, (*SIZE, 3), np.uint8)
        )
    folders = {"train": ["train"], "tune": [], "test": ["test"], "tune_every": 2}
    return FrameStore(read_image_folder(tmp_path, kind="imagefolder", size=SIZE, **folders))


@pytest.fixture
def teacher(monkeypatch):
    monkeypatch.chdir(ROOT)
    torch.manual_seed(0)
    return models.build(MODEL["name"], classes=2, **MODEL["options"]).eval()


def trained(training, store, teacher, **changes):
    content = YAML(typ="safe").load(ROOT / "params.yaml")
    small = {"steps": 2, "batch": 2, "evaluate_every": 1}
    content["distill"] |= small | {"augment": {"crop": list(SIZE), "scale": [1.0, 1.0], "flip": False}}
    content["distill"]["optimiser"]["learning_rate_teacher"] = 0.0
    content["distill"]["trainings"]["student"] = training | {"changes": changes}
    given = params.parse(content)
    run = {"seed": 0, "run": TrainingRun()}
    return train_network("student", teacher, MODEL, Classification(2), store, given, **run)


def objective(name, **more):
    return {"loss": {"objectives": {name: {"weight": 1.0}}, **more}}


def test_a_student_with_red_blocks_learns_and_comes_back_from_its_file(store, teacher, tmp_path):
    before = copy.deepcopy(teacher.state_dict())
    made, model = trained(RED, store, teacher, **objective("residual_encoded"))
    assert model == MODEL
    assert made.network.stem[0].layer.stride == (2, 2)
    assert set(made.architecture["red_blocks"]) == {"stem.0", "stages.1.0.conv1"}
    assert {"loss", "task", "residual_encoded", "learning_rate"} <= set(made.outcome.curve[0])
    assert all(torch.equal(teacher.state_dict()[name], value) for name, value in before.items())
    save_network(tmp_path / "student.pt", made.network, model, architecture=made.architecture)
    again, frames = load_network(tmp_path / "student.pt"), torch.rand(2, 3, *SIZE)
    assert torch.equal(again(frames), made.network.eval()(frames))


def test_a_reused_classifier_stays_the_teachers(store, teacher):
    training = {"method": "pooled", "student": {"factor": 2, "red_blocks": "none"}}
    made, _ = trained(training, store, teacher, **objective("simkd", task="none"))
    assert torch.equal(made.network.head.weight, teacher.head.weight)
    assert not torch.equal(made.network.stem[0].weight, teacher.stem[0].weight)


def test_modules_of_an_objective_learn_and_are_not_in_the_student(store, teacher):
    made, _ = trained(RIVAL, store, teacher, **objective("fitnets"))
    assert made.architecture["red_blocks"] == {}
    assert made.network.state_dict().keys() == teacher.state_dict().keys()


@pytest.mark.parametrize(
    ("student", "message"),
    [
        ({}, "give a factor or a schedule, got None and None"),
        ({"factor": 2, "schedule": [2, 2]}, "give a factor or a schedule"),
        ({"factor": 1}, "greater than or equal to 2"),
    ],
)
def test_a_student_that_is_not_described_is_refused(store, teacher, student, message):
    with pytest.raises(ValueError, match=message):
        trained({"method": "pooled", "student": student}, store, teacher)


@pytest.mark.parametrize(
    "training", [{"method": "pooled"}, {"method": "per_frame", "student": {"factor": 2}}]
)
def test_method_pooled_and_its_student_go_together(store, teacher, training):
    with pytest.raises(ValueError, match="student goes with method pooled"):
        trained(training, store, teacher)
