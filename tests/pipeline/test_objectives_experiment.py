"""experiments/objectives.yaml and objectives_detection.yaml: what they hold, and each can be made."""

from pathlib import Path

import pytest
import torch

import deltadistill as dd
from deltadistill import models
from deltadistill.distillation.weighted import further_terms
from deltadistill.objectives.setting import Setting
from deltadistill.pipeline import params
from deltadistill.pipeline.experiments import values_under
from deltadistill.tasks.detection import Detection
from deltadistill.tasks.segmentation import Segmentation
from deltadistill.tasks.suppression import Suppression

ROOT = Path(__file__).resolve().parents[2]
SIZE, CLASSES = (32, 64), 8
LISTED = {
    "calibrated_labels", "channel_entropy", "collaboration", "cooperative_masks", "discriminator", "exits",
    "feature_norm_direction", "multi_granularity", "normalised_features", "query_retrieval", "subclasses",
    "teacher_average", "weight_change",
}  # fmt: skip


def values_of(name):
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(ROOT)
        return params.parse(values_under(Path(f"experiments/{name}.yaml")))


@pytest.fixture(scope="module")
def experiment():
    return values_of("objectives")


@pytest.fixture(scope="module")
def of_boxes():
    return values_of("objectives_detection")


def street(width):
    torch.manual_seed(0)
    return models.build("ddrnet23_slim", classes=CLASSES, width=width, stem_strides=[2, 1]).eval()


def chosen_by(experiment):
    return {name: experiment.distill.of_training(name).loss.further for name in experiment.distill.trainings}


def test_it_has_all_that_the_reading_list_names_for_segmentation(experiment):
    assert {name for chosen in chosen_by(experiment).values() for name in chosen} >= LISTED


@pytest.mark.parametrize("name", ["experiment", "of_boxes"])
def test_every_training_is_shown(name, request):
    values = request.getfixturevalue(name)
    shown = {variant.network for variant in values.variants.values()}
    assert shown == {"pretrain_teacher", *(f"distill/{name}" for name in values.distill.trainings)}


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


def test_what_each_training_of_boxes_learns_by_can_be_made_on_its_network(of_boxes):
    frames, trainings = torch.zeros(2, 3, 32, 64), of_boxes.distill.trainings
    task = Detection(2, Suppression(0.1, 0.5, 100, 10), shown_score=0.5)
    options = of_boxes.model.options
    teacher = models.build("detr", classes=2, **options).eval()
    delta = dd.convert(teacher, dd.LinearStudent(gamma=4, rank="min"), dd.inner_convolutions)
    chosen = chosen_by(of_boxes)
    assert "consistent_queries" in {name for further in chosen.values() for name in further}
    for name, further in chosen.items():
        small = models.build("detr", classes=2, **{**options, **trainings[name].options})
        by_method = {"delta": (delta, None), "small": (small, teacher), "per_frame": (teacher, None)}
        network, taught_by = by_method[trainings[name].method]
        where = Setting(network, frames, (32, 64), task, teacher=taught_by)
        assert further_terms(further, where, steps=300).keys() == further.keys()
