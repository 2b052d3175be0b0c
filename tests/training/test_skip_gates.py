"""The training of gates of Skip-Convolutions, by its recipe, and that they run as a predictor."""

import pytest
import torch
from data.small_dataset import make_manifest
from training.test_recipes import OPTIONS, toy

from deltadistill import models
from deltadistill.blocks.skip_gates import SkipGates
from deltadistill.data.frames import FrameStore
from deltadistill.evaluation.costs_by_length import costs_by_length
from deltadistill.pipeline.params.trainings import NetworkTraining
from deltadistill.pipeline.recipe_by_method import train_network
from deltadistill.pipeline.training_run import TrainingRun
from deltadistill.predictors.predictor import build
from deltadistill.tasks.segmentation import Segmentation
from deltadistill.training.passes import Passes


@pytest.fixture
def store(tmp_path):
    return FrameStore(make_manifest(tmp_path))


def started(store):
    torch.manual_seed(0)
    return models.build("ddrnet23_slim", classes=len(store.classes), **OPTIONS).eval()


def trained(store, *, beta=0.0, threshold=0.5, run=None, **more):
    options = {"beta": beta, "threshold": threshold}
    params = toy(trainings={"gates": {"method": "skip_gates", "options": options, "changes": more}})
    described = {"name": "ddrnet23_slim", "classes": len(store.classes), "options": OPTIONS}
    given = (described, Segmentation(len(store.classes)), store, params)
    return train_network("gates", started(store), *given, seed=0, run=run or TrainingRun())


def test_gates_learn_and_are_built_again_from_their_description(store):
    found, model = trained(store, beta=1.0)
    assert isinstance(found.network, SkipGates)
    assert not found.network.training
    assert (model["name"], found.outcome.best_step) == ("skip_gates", 2)
    again = models.build(model["name"], classes=model["classes"], **model["options"])
    begun = {name: value.clone() for name, value in again.state_dict().items() if name.endswith("bias")}
    again.load_state_dict(found.network.state_dict())
    learned = [not torch.equal(value, again.state_dict()[name]) for name, value in begun.items()]
    assert sum(learned) > len(learned) / 2  # where nothing was let in before, nothing changes later
    assert {"loss", "cost"} <= set(found.outcome.curve[0])


def test_the_dearer_macs_are_the_fewer_are_computed(store):
    task, network = Segmentation(len(store.classes)), started(store)
    costs = []
    for beta in (0.0, 100.0):
        optimiser = {"learning_rate_student": 0.2}
        more = {"steps": 6, "evaluate_every": 6, "optimiser": optimiser}
        gates = trained(store, beta=beta, threshold=0.003, **more)[0].network
        predictor = build("skip_convolutions", network, task, networks={"gates": gates})
        given = {"size": (3, *store.size), "store": store, "networks": {"gates": gates}}
        found = costs_by_length(predictor, network, network, [3], **given)
        costs.append(found[3]["macs_ratio"])
    assert costs[1] < 0.9 * costs[0]


def test_without_labels_it_learns_the_teachers_output_alone(store):
    label_free = {"loss": {"task": "teacher"}, "optimiser": {"learning_rate_teacher": 0}}
    with_labels, alone = (trained(store, **more)[0] for more in ({}, label_free))
    assert 0 < alone.outcome.curve[0]["loss"] < with_labels.outcome.curve[0]["loss"]


def test_a_batch_in_several_passes_counts_each_clip_once(store):
    whole, parts = (
        trained(store, beta=1.0, run=TrainingRun(passes=Passes(frames_at_once=frames)))[0]
        for frames in (None, 3)
    )  # draws differ, as each pass has its own
    assert parts.outcome.curve[0]["loss"] == pytest.approx(whole.outcome.curve[0]["loss"], rel=0.2)
    assert parts.outcome.curve[0]["cost"] == pytest.approx(whole.outcome.curve[0]["cost"], rel=0.2)


def test_its_options_are_looked_at_with_the_parameters():
    for wrong in ({}, {"beta": 1, "split": "a"}):
        with pytest.raises(ValueError, match=r"method skip_gates has options .* expected beta, and of where"):
            NetworkTraining(method="skip_gates", options=wrong)


def test_a_predictor_has_one_kind_of_gate(store):
    task, gates = Segmentation(2), SkipGates({"a": [1, 1, 1]}, threshold=1)
    for given in ({}, {"options": {"threshold": 0.1}, "networks": {"gates": gates}}):
        with pytest.raises(ValueError, match="takes either a threshold"):
            build("skip_convolutions", torch.nn.Conv2d(3, 2, 1), task, **given)
