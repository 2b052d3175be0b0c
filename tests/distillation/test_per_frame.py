"""A cheaper network per frame learns by objectives: what it sees, what it refuses, parts and processes."""

import pytest
import torch
from data.small_dataset import make_manifest
from distributed.equal_recipes import default_of, street_network
from torch import nn
from training.test_recipes import toy

from deltadistill import models
from deltadistill.data.frames import FrameStore
from deltadistill.objectives.objective import Objective
from deltadistill.objectives.taps import Taps
from deltadistill.pipeline.recipe_by_method import train_network
from deltadistill.pipeline.recipe_per_frame import learn_by_objectives, train_per_frame
from deltadistill.pipeline.training_run import TrainingRun
from deltadistill.tasks.segmentation import Segmentation
from deltadistill.training.passes import Passes

OPTIONS = {"width": 8, "stem_strides": [2, 1]}
NAME = "distillation.test_per_frame:Projected"


class Projected(Objective):
    """The student's map of one name, projected to the teacher's of another."""

    def __init__(self, setting, *, own="conv1", taught="conv1"):
        super().__init__()
        self.own, self.taught = own, taught
        channels = [setting.maps(own)[0].shape[1], setting.teacher_maps(taught)[0].shape[1]]
        self.project = nn.Conv2d(*channels, 1)

    @property
    def taps(self):
        return Taps(own_modules=(self.own,), teacher_modules=(self.taught,), output=True)

    def extent(self, seen):
        return torch.tensor(seen.clips)

    def loss(self, seen, of):
        (own,), (taught,) = seen.maps(self.own), seen.teacher_maps(self.taught)
        assert (
            len(own) == len(seen.taught_frames(seen.batch["label"])) == len(seen.taught_frames(seen.output))
        )
        assert not taught.requires_grad
        return (self.project(own) - taught).square().mean() * seen.clips / float(of)


@pytest.fixture
def store(tmp_path):
    return FrameStore(make_manifest(tmp_path))


def small(store, width=4):
    torch.manual_seed(1)
    return models.build("ddrnet23_slim", classes=len(store.classes), **{**OPTIONS, "width": width})


def learnt(store, further, **how):
    task = Segmentation(len(store.classes))
    teacher, settings = street_network(len(store.classes)), toy().pretrain_teacher
    given = {"seed": 0, "run": how.pop("run", TrainingRun())} | how
    return learn_by_objectives(small(store), teacher, task, store, settings, further, **given)


def test_without_objectives_it_is_the_training_with_logits_to_the_last_digit(store):
    task, settings = Segmentation(len(store.classes)), toy().pretrain_teacher
    teacher = street_network(len(store.classes))
    known = train_per_frame(
        small(store), task, store, settings, seed=0, run=TrainingRun(), teacher=teacher
    ).curve
    curve = learnt(store, {}).curve
    for row, other in zip(known, curve, strict=True):
        assert row["tune_score"] == other["tune_score"]
        assert row["loss"] == pytest.approx(other["loss"], rel=1e-6)


def test_its_modules_are_a_companion_and_leave_the_network_alone(store):
    outcome = learnt(store, {NAME: {"weight": 0.5}})
    assert outcome.curve[0][NAME] > 0
    assert not any("project" in name for name in outcome.best_state)


def test_parts_of_a_batch_add_up_to_the_whole(store):
    """Batch norm keeps its statistics here: those of a part are others than the whole's."""
    curves = []
    for at_once in (None, 1):
        with default_of(torch.float64):
            task, settings = Segmentation(len(store.classes)), toy().pretrain_teacher
            frozen = settings.model_copy(update={"batch_norm": "frozen"})
            teacher = street_network(len(store.classes))
            run = TrainingRun(passes=Passes(frames_at_once=at_once))
            further = {NAME: {"weight": 0.5}}
            outcome = learn_by_objectives(
                small(store), teacher, task, store, frozen, further, seed=0, run=run
            )
        curves.append(outcome.curve)
    assert [pytest.approx(row, rel=1e-9) for row in curves[0]] == curves[1]


def test_without_labels_the_teacher_is_all_there_is(store):
    row = learnt(store, {NAME: {"weight": 0.5}}, labels=False).curve[0]
    assert row["task"] == 0
    assert row["loss"] == pytest.approx(row["distillation"] + 0.5 * row[NAME], rel=1e-6)


def test_objectives_of_blocks_are_refused(store):
    with pytest.raises(
        ValueError, match="objective block_errors learns from the errors of blocks, and DDRNet"
    ):
        learnt(store, {"block_errors": {"weight": 1.0}})


def test_method_small_learns_by_the_objectives_of_its_training(store):
    changes = {"loss": {"objectives": {NAME: {"weight": 0.5}}}}
    params = toy(trainings={"small": {"method": "small", "options": {"width": 4}, "changes": changes}})
    described = {"name": "ddrnet23_slim", "classes": len(store.classes), "options": OPTIONS}
    task, teacher = Segmentation(len(store.classes)), street_network(len(store.classes))
    trained, _ = train_network("small", teacher, described, task, store, params, seed=0, run=TrainingRun())
    assert trained.outcome.curve[0][NAME] > 0
