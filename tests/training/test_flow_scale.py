"""The training of Deep Feature Flow's scale map, by its recipe."""

import pytest
import torch
from data.small_dataset import make_manifest
from training.test_recipes import OPTIONS, toy

from deltadistill import models
from deltadistill.data.frames import FrameStore
from deltadistill.models.flow_scale import FlowScale
from deltadistill.pipeline.params.trainings import NetworkTraining
from deltadistill.pipeline.recipe_by_method import train_network
from deltadistill.pipeline.training_run import TrainingRun
from deltadistill.tasks.segmentation import Segmentation
from deltadistill.training.passes import Passes

LABEL_FREE = {"loss": {"task": "teacher"}, "optimiser": {"learning_rate_teacher": 0}}


@pytest.fixture
def store(tmp_path):
    return FrameStore(make_manifest(tmp_path))


def trained(store, run=None, split="final_layer", **more):
    torch.manual_seed(0)
    teacher = models.build("ddrnet23_slim", classes=len(store.classes), **OPTIONS).eval()
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    options = {"split": split, "preset": "ultrafast", "hidden": 4}
    params = toy(trainings={"scale": {"method": "flow_scale", "options": options, **more}})
    described = {"name": "ddrnet23_slim", "classes": len(store.classes), "options": OPTIONS}
    given = (described, Segmentation(len(store.classes)), store, params)
    found, model = train_network("scale", teacher, *given, seed=0, run=run or TrainingRun())
    assert all(torch.equal(teacher.state_dict()[name], value) for name, value in before.items())
    return found, model


def test_a_scale_map_learns_and_is_built_again_from_its_description(store):
    found, model = trained(store)
    assert isinstance(found.network, FlowScale)
    assert found.network.say.weight.abs().max() > 0
    assert model == {"name": "flow_scale", "classes": 32, "options": {"reduction": 4, "hidden": 4}}
    again = models.build(model["name"], classes=model["classes"], **model["options"])
    again.load_state_dict(found.network.state_dict())
    assert 0 <= found.outcome.best_score <= 100


def test_without_labels_it_learns_the_teachers_output_alone(store):
    with_labels, alone = (trained(store, **more)[0] for more in ({}, {"changes": LABEL_FREE}))
    assert 0 < alone.outcome.curve[0]["loss"] < with_labels.outcome.curve[0]["loss"]


def test_passes_of_one_pair_add_up_to_the_batch(store):
    whole, parts = (
        trained(store, TrainingRun(passes=Passes(frames_at_once=frames)))[0] for frames in (None, 2)
    )
    assert parts.outcome.curve[0]["loss"] == pytest.approx(whole.outcome.curve[0]["loss"], rel=1e-4)


def test_its_options_are_looked_at_with_the_parameters():
    for wrong in ({}, {"split": "a", "gamma": 2}):
        with pytest.raises(ValueError, match="method flow_scale has options"):
            NetworkTraining(method="flow_scale", options=wrong)
