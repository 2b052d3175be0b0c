"""Stages in which some modules alone learn: which, when, and what stays to the bit; GKD's two stages."""

import copy

import pytest
import torch
from data.small_dataset import make_manifest
from distributed.equal_recipes import street_network
from torch import nn
from training.test_recipes import toy
from training.toy_trainings import Brightness, distill_trainee, per_frame_trainee, small_network

from deltadistill.data.frames import FrameStore
from deltadistill.pipeline.recipe_by_method import train_network
from deltadistill.pipeline.training_run import TrainingRun
from deltadistill.tasks.segmentation import Segmentation
from deltadistill.training import optimiser as optimisers
from deltadistill.training.only_learn import OnlyLearn, still_modules, still_parameters
from deltadistill.training.optimised_network import OptimisedNetwork
from deltadistill.training.optimiser import Course

LAST_FROM_2 = OnlyLearn(("5",), begin=2, end=12)


def test_shares_of_the_steps_become_steps():
    stage = OnlyLearn.of_shares(["0", "5"], 0.25, 0.5, steps=8, network=small_network())
    assert stage == OnlyLearn(("0", "5"), 2, 4)
    assert [stage.holds(step) for step in range(6)] == [False, False, True, True, False, False]


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("head", r"optimiser\.only_learn names the module 'head', which Sequential does not have"),
        ("2", r"optimiser\.only_learn names '2', a ReLU without parameters"),
    ],
)
def test_modules_that_cannot_learn_are_refused(module, message):
    with pytest.raises(ValueError, match=message):
        OnlyLearn.of_shares([module], 0.0, 1.0, steps=8, network=small_network())


def test_what_is_still_is_all_but_the_named_and_what_holds_it():
    network = nn.Sequential(nn.Sequential(nn.Linear(1, 1), nn.ReLU()), nn.Linear(1, 1), nn.Linear(1, 1))
    stages = [OnlyLearn(("0.0",), 0, 2), OnlyLearn(("2",), 1, 2)]
    assert [name for name, _ in still_modules(network, stages, 0)] == ["0.1", "1", "2"]
    assert [name for name, _ in still_modules(network, stages, 1)] == ["0.1", "1"]
    assert still_modules(network, stages, 2) == list(still_parameters(network, stages, 2)) == []
    still = {id(p) for p in still_parameters(network, stages, 1)}
    assert still == {id(p) for p in network[1].parameters()}


def test_a_step_by_hand_moves_the_named_module_alone_in_spite_of_momentum_and_decay():
    """w ← w − 0.1·(g + 0.5·w): from (1, 1) with gradients (1, 1) both are 0.85, then one is left."""
    network = nn.ModuleDict({"a": nn.Linear(1, 1, bias=False), "b": nn.Linear(1, 1, bias=False)})
    for layer in network.values():
        nn.init.constant_(layer.weight, 1.0)
    optimiser = optimisers.build("sgd", [(network.parameters(), 0.1)], weight_decay=0.5, momentum=0.9)
    stages = [OnlyLearn(("b",), begin=1, end=2)]
    optimised = OptimisedNetwork(network, optimiser, Course(2, "constant"), only_learn=stages)
    for step in range(2):
        optimised.step(step, [{"loss": network["a"].weight.sum() + network["b"].weight.sum()}])
    assert network["a"].weight.item() == pytest.approx(0.85)
    assert network["b"].weight.item() == pytest.approx(0.85 - 0.1 * (0.9 * 1.5 + 1 + 0.5 * 0.85))


def test_of_a_network_per_frame_weights_and_statistics_stay():
    trainee, batches = per_frame_trainee(only_learn=[LAST_FROM_2]), Brightness(1)
    kept = []
    for step in range(4):
        trainee.step(step, batches[step])
        kept.append(copy.deepcopy(trainee.network.state_dict()))
    assert all(not torch.equal(kept[0][name], kept[1][name]) for name in kept[0])
    moved = {name for name in kept[1] if not torch.equal(kept[1][name], kept[3][name])}
    assert moved == {"5.weight", "5.bias"}


def test_of_a_delta_network_the_students_elsewhere_stay():
    trainee, batches = distill_trainee(only_learn=[OnlyLearn(("5",), begin=1, end=12)]), Brightness(2)
    trainee.step(0, batches[0])
    before = copy.deepcopy(trainee.network.state_dict())
    trainee.step(1, batches[1])
    after = trainee.network.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved
    assert all(name.startswith("5.") for name in moved)


@pytest.fixture
def store(tmp_path):
    return FrameStore(make_manifest(tmp_path))


def test_gkd_learns_maps_first_and_the_head_alone_after(store):
    """Of four steps the first two leave the head as it was drawn, and the last two leave all else."""
    objectives = {"query_retrieval": {"weight": 1.0, "until": 0.5, "options": {"modules": ["layer3_"]}}}
    changes = {
        "optimiser": {"only_learn": [{"modules": ["final_layer"], "starts": 0.5}]},
        "loss": {"task_from": 0.5, "objectives": objectives},
    }
    params = toy(trainings={"gkd": {"method": "small", "options": {"width": 4}, "changes": changes}})
    task, teacher = Segmentation(len(store.classes)), street_network(len(store.classes))
    options = {"width": 8, "stem_strides": [2, 1]}
    described = {"name": "ddrnet23_slim", "classes": len(store.classes), "options": options}
    run, rows = TrainingRun(on_row=lambda row: rows.append(row)), []
    trained, _ = train_network("gkd", teacher, described, task, store, params, seed=0, run=run)
    assert len(trained.outcome.curve) == 4
    for row in rows[:2]:
        assert row["task"] == row["distillation"] == 0
        assert row["loss"] == row["query_retrieval"] > 0
    for row in rows[2:]:
        assert row["loss"] == pytest.approx(row["task"] + row["distillation"], rel=1e-6)
    assert all(row["task"] > 0 for row in rows[2:])


GKD = {"task_from": 0.5, "alpha_until": 1.0}


@pytest.mark.parametrize(
    ("training", "optimiser", "loss", "message"),
    [
        ({"method": "delta"}, {}, GKD, "without labels, before task_from, nothing holds the teacher's"),
        ({"method": "small", "options": {"width": 4}}, {}, GKD, "before task_from 0.5 .* of method small"),
        (
            {"method": "delta"},
            {"learning_rate_teacher": 0.0},
            GKD | {"alpha": 0.0, "objectives": {"logits": {"weight": 1.0, "until": 0.4}}},
            "before task_from 0.5 of the steps, training other of method delta has",
        ),
        (
            {"method": "per_frame"},
            {"only_learn": [{"modules": ["final_layer"], "starts": 0.5, "until": 0.5}]},
            {},
            r"until 0\.5 is not after starts 0\.5",
        ),
    ],
)
def test_stages_that_cannot_be_meant_are_refused_before_anything_runs(training, optimiser, loss, message):
    changed = training | {"changes": {"optimiser": optimiser, "loss": loss}}
    with pytest.raises(ValueError, match=message):
        toy(trainings={"other": changed})


def test_stages_of_a_training_of_deltas_may_have_the_blocks_before_the_task():
    changes = {"optimiser": {"learning_rate_teacher": 0.0}, "loss": GKD}
    toy(trainings={"other": {"method": "delta", "changes": changes}})
