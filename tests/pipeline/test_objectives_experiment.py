"""experiments/objectives.yaml: all that is of segmentation, and each can be made."""

from pathlib import Path

import pytest
import torch

import deltadistill as dd
from deltadistill import models
from deltadistill.distillation.weighted import further_terms
from deltadistill.objectives.setting import Setting
from deltadistill.pipeline import params
from deltadistill.pipeline.experiments import values_under
from deltadistill.tasks.segmentation import Segmentation

ROOT = Path(__file__).resolve().parents[2]
SIZE, CLASSES = (32, 64), 8
LISTED = {
    "calibrated_labels", "channel_entropy", "collaboration", "cooperative_masks", "discriminator", "exits",
    "feature_norm_direction", "multi_granularity", "normalised_features", "query_retrieval", "subclasses",
    "teacher_average", "weight_change",
}  # fmt: skip


@pytest.fixture(scope="module")
def experiment():
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(ROOT)
        return params.parse(values_under(Path("experiments/objectives.yaml")))


def street(width):
    torch.manual_seed(0)
    return models.build("ddrnet23_slim", classes=CLASSES, width=width, stem_strides=[2, 1]).eval()


def chosen_by(experiment):
    return {name: experiment.distill.of_training(name).loss.further for name in experiment.distill.trainings}


def test_it_has_all_that_the_reading_list_names_for_segmentation(experiment):
    assert {name for chosen in chosen_by(experiment).values() for name in chosen} >= LISTED


def test_every_training_is_shown(experiment):
    shown = {variant.network for variant in experiment.variants.values()}
    assert shown == {"pretrain_teacher", *(f"distill/{name}" for name in experiment.distill.trainings)}


def test_what_each_training_learns_by_can_be_made_on_its_network(experiment):
    frames, task = torch.zeros(2, 3, *SIZE), Segmentation(CLASSES)
    teacher, small = street(16), street(11)
    delta = dd.convert(street(16), dd.LinearStudent(gamma=4), dd.inner_convolutions)
    settings = {
        "small": Setting(small, frames, SIZE, task, teacher=teacher),
        "delta": Setting(delta, frames, SIZE, task),
    }
    for name, further in chosen_by(experiment).items():
        if further:
            where = settings[experiment.distill.trainings[name].method]
            assert further_terms(further, where, steps=300).keys() == further.keys()
