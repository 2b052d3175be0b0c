"""The trainings as params.yaml describes them, at toy size."""

import copy
import itertools
import math
from pathlib import Path

import pytest
import torch
from data.small_dataset import SIZE, make_manifest
from ruamel.yaml import YAML
from torch import nn

from deltadistill import models
from deltadistill.account.macs import count_macs
from deltadistill.blocks.linear import LinearStudent
from deltadistill.conversion.convert import convert
from deltadistill.data.frames import FrameStore
from deltadistill.distillation.training import DistillTraining
from deltadistill.exporting.stream_memory import stream_memory
from deltadistill.pipeline import params
from deltadistill.pipeline.params.trainings import NetworkTraining
from deltadistill.pipeline.recipe_by_method import train_network
from deltadistill.pipeline.recipe_of_distillation import distill
from deltadistill.pipeline.recipe_per_frame import finetune, train_per_frame
from deltadistill.pipeline.training_run import TrainingRun
from deltadistill.stored.architecture import apply_architecture
from deltadistill.tasks.segmentation import Segmentation

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = {"width": 8, "stem_strides": [2, 1]}
DESIGNS = {
    "svd": {},
    "data": {"initialisation": "data", "initialisation_clips": 4},
    "random": {"initialisation": "random"},
    "channel": {"kind": "channel", "gamma": 2, "where": "residual_blocks"},
    "spatial": {"kind": "spatial", "where": "residual_blocks"},
    "channel_spatial": {"kind": "channel_spatial", "gamma": 2, "where": "residual_blocks"},
    "reduced": {"kind": "reduced", "options": {"factor": 2}, "where": "whole_network"},
}


@pytest.fixture
def store(tmp_path):
    return FrameStore(make_manifest(tmp_path))


@pytest.fixture
def teacher(store):
    torch.manual_seed(0)
    return models.build("ddrnet23_slim", classes=len(store.classes), **OPTIONS).eval()


def toy(**changes):
    content = YAML(typ="safe").load(ROOT / "params.yaml")
    small = {"steps": 2, "batch": 2, "augment": {"crop": list(SIZE), "scale": [1.0, 1.0], "flip": False}}
    content["pretrain_teacher"] |= small | {"evaluate_every": 1}
    content["distill"] |= small | {"evaluate_every": 1, "max_distance": 2}
    for section, values in changes.items():
        content["distill"][section] |= values
    return params.parse(content)


def settings_of(design):
    linear = "kind" not in design
    search = {} if linear else {"target": {"cost": 0.95, "length": 3}}
    return toy(students=design, search=search).distill


@pytest.mark.parametrize("design", DESIGNS)
def test_every_student_design_is_distilled_to_a_network_within_the_target(design, store, teacher):
    settings = settings_of(DESIGNS[design])
    task = Segmentation(len(store.classes))
    trained = distill(teacher, task, store, settings, predicts="delta", seed=0, run=TrainingRun())
    assert {row["layer"] for row in trained.layers} == set(trained.architecture["blocks"])
    fresh = apply_architecture(copy.deepcopy(teacher), trained.architecture)
    fresh.load_state_dict(trained.network.state_dict())
    table, target = count_macs(trained.network, (3, *SIZE)), settings.search.target
    assert table.amortised(target.length) <= target.cost * table.teacher


def test_a_search_counts_what_it_is_told_to_and_the_result_says_it(store, teacher):
    settings = toy(search={"cost": "scripted_costs:tenths", "cost_options": {"unit": 3.0}}).distill
    task = Segmentation(len(store.classes))
    trained = distill(teacher, task, store, settings, predicts="delta", seed=0, run=TrainingRun())
    choices = list(trained.architecture["blocks"].values())
    delta = 3.0 + sum(30.0 if choice == "uncompressed" else 3.0 for choice in choices)
    target = settings.search.target
    per_frame = (trained.costs.teacher + (target.length - 1) * delta) / target.length
    assert 0.98 * target.cost <= per_frame / trained.costs.teacher <= target.cost


class BlendOfTwoViews(nn.Module):
    """Its middle convolution sees every frame twice, all frames plain and then all mirrored."""

    def __init__(self, classes):
        super().__init__()
        self.first, self.middle = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.inner, self.last = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, classes, 1)

    def forward(self, x):
        plain = self.first(x).relu()
        both = self.middle(torch.cat([plain, plain.flip(-1)]))
        return self.last(self.inner(both[: len(x)] + both[len(x) :].flip(-1)).relu())


def test_a_block_whose_first_axis_is_not_frames_is_left_alone_in_a_training(store):
    torch.manual_seed(0)
    teacher, task = BlendOfTwoViews(len(store.classes)).eval(), Segmentation(len(store.classes))
    settings = toy(search={"target": None}).distill
    trained = distill(teacher, task, store, settings, predicts="delta", seed=0, run=TrainingRun())
    assert set(trained.architecture["blocks"]) == {"inner"}


def test_a_target_out_of_reach_is_refused_before_the_first_step(store, teacher, monkeypatch):
    monkeypatch.setattr(DistillTraining, "step", lambda *_: pytest.fail("a step was taken"))
    search = {"target": {"cost": 0.34, "length": 3}}
    task, settings = Segmentation(len(store.classes)), toy(search=search).distill
    with pytest.raises(ValueError, match=r"cost 0\.34 at length 3 is out of reach"):
        distill(teacher, task, store, settings, predicts="delta", seed=0, run=TrainingRun())


def test_a_training_keeps_the_memory_of_a_stream_within_its_bound(store):
    torch.manual_seed(0)
    channels, frame = (3, 8, 8, 8, len(store.classes)), torch.zeros(1, 3, *SIZE)
    teacher = nn.Sequential(*(nn.Conv2d(a, b, 3, padding=1) for a, b in itertools.pairwise(channels))).eval()
    both = convert(teacher, LinearStudent(gamma=4), progress=False).eval()
    bound = stream_memory(both, frame).peak - 1  # bytes
    settings = toy(search={"target": None, "bounds": {"memory_mib": bound / 2**20}}).distill
    task = Segmentation(len(store.classes))
    trained = distill(teacher, task, store, settings, predicts="delta", seed=0, run=TrainingRun())
    assert len(trained.architecture["blocks"]) == 1
    assert stream_memory(trained.network.eval(), frame).peak <= bound


def test_finetuning_leaves_the_teacher_as_it_is(store, teacher):
    before = copy.deepcopy(teacher.state_dict())
    trained = finetune(
        teacher, Segmentation(len(store.classes)), store, toy().distill, seed=0, run=TrainingRun()
    )
    assert all(torch.equal(teacher.state_dict()[name], value) for name, value in before.items())
    assert trained.architecture is None


def test_a_cheaper_network_may_be_another_one_than_the_teachers(store, teacher):
    params = toy(trainings={"small": {"method": "small", "model": "jitnet", "options": {"width": 0.25}}})
    described = {"name": "ddrnet23_slim", "classes": len(store.classes), "options": OPTIONS}
    trained, model = train_network(
        "small",
        teacher,
        described,
        Segmentation(len(store.classes)),
        store,
        params,
        seed=0,
        run=TrainingRun(),
    )
    assert model == {"name": "jitnet", "classes": len(store.classes), "options": {"width": 0.25}}
    assert type(trained.network).__name__ == "JITNet"


def test_a_cheaper_network_learns_the_teachers_logits_as_well(store, teacher):
    """With the teacher, the first step's loss is the task's plus the imitation's."""
    task, settings = Segmentation(len(store.classes)), toy().pretrain_teacher
    losses = {}
    for imitated in (None, teacher):
        torch.manual_seed(1)
        small = models.build("ddrnet23_slim", classes=len(store.classes), **{**OPTIONS, "width": 4})
        outcome = train_per_frame(small, task, store, settings, seed=0, run=TrainingRun(), teacher=imitated)
        losses[imitated] = outcome.curve[0]["loss"]
    assert losses[teacher] > losses[None]


def test_without_labels_a_cheaper_network_learns_from_the_teacher_alone_and_is_judged_by_it(
    tmp_path, teacher
):
    """On the very video that it is to run on there is no label."""
    unlabelled = FrameStore(make_manifest(tmp_path, labelled=[]))
    content = toy()
    name, training = "small", NetworkTraining(method="small", changes=LABEL_FREE, options={"width": 8})
    distill = content.distill.model_copy(update={"trainings": {name: training}})
    run = {"seed": 0, "run": TrainingRun()}
    given = content.model_copy(update={"distill": distill})
    model = {"name": "ddrnet23_slim", "classes": len(unlabelled.classes), "options": OPTIONS | {"width": 8}}
    trained, _ = train_network(name, teacher, model, Segmentation(8), unlabelled, given, **run)
    assert all(math.isfinite(row["loss"]) for row in trained.outcome.curve)
    assert math.isfinite(trained.outcome.best_score)
    assert trained.outcome.curve[0]["loss"] != trained.outcome.curve[-1]["loss"]


def test_a_network_specialised_on_the_test_videos_sees_their_first_frames_and_no_label(
    store, teacher, monkeypatch
):
    entry = {"method": "small", "options": {"width": 4}, "specialise": {"frames": 2, "steps": 1}}
    seen = []
    read = FrameStore.image_array
    monkeypatch.setattr(FrameStore, "image_array", lambda own, frame: seen.append(frame) or read(own, frame))
    model = {"name": "ddrnet23_slim", "classes": len(store.classes), "options": OPTIONS}
    params = toy(trainings={"small": entry})
    train_network("small", teacher, model, Segmentation(8), store, params, seed=0, run=TrainingRun())
    of_test = {(frame.index, frame.label) for frame in seen if frame.clip == "test0"}
    assert of_test == {(0, None), (1, None)}


def test_what_is_scored_may_not_be_learnt_from():
    special = {"method": "small", "options": {"width": 4}, "specialise": {"frames": 9, "steps": 1}}
    toy(trainings={"small": special})  # the longest sequence is 10
    with pytest.raises(ValueError, match="frames from number 10 of a clip on are scored"):
        toy(trainings={"small": special | {"specialise": {"frames": 10, "steps": 1}}})
    with pytest.raises(ValueError, match="specialise goes with method small, not with per_frame"):
        toy(trainings={"finetuned": {"method": "per_frame", "specialise": special["specialise"]}})
    content = YAML(typ="safe").load(ROOT / "params.yaml")
    content["distill"]["trainings"]["small"] = special
    content["evaluate_videos"]["variants"] = ["small"]
    with pytest.raises(ValueError, match="small has learnt from their first frames"):
        params.parse(content)


LABEL_FREE = {"loss": {"task": "teacher"}, "optimiser": {"learning_rate_teacher": 0.0}}
