"""Objectives are made by name, refused with a reason, and their own modules are kept in checkpoints."""

import copy

import pytest
import torch
from torch import nn
from training.toy_trainings import STEPS, Brightness, small_network

import deltadistill as dd
from deltadistill.account.candidate_costs import macs_of_blocks
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.distillation.search_course import SearchCourse
from deltadistill.distillation.training import DistillTraining
from deltadistill.distillation.weighted import Weighted, equation_5, further_terms, own_modules
from deltadistill.objectives.block_errors import BlockErrors
from deltadistill.objectives.objective import Objective
from deltadistill.objectives.setting import Setting, make_objective
from deltadistill.objectives.taps import Taps
from deltadistill.tasks.segmentation import Segmentation
from deltadistill.training import optimiser as optimisers
from deltadistill.training.optimised_network import OptimisedNetwork
from deltadistill.training.optimiser import Course


class Adapted(Objective):
    """Compares what the first layer returns, through a 1×1 convolution of its own."""

    def __init__(self, setting, *, module="0"):
        super().__init__()
        self.module, self.adapter = module, nn.Conv2d(8, 8, 1)

    @property
    def taps(self):
        return Taps(modules=(self.module,))

    def loss(self, seen, of):
        own, taught = self.adapter(seen.maps(self.module)[0]), seen.teacher_maps(self.module)[0]
        return (own - taught).square().mean() * seen.clips / float(of)


def no_objective(setting):
    return nn.Identity()


def setting():
    network = dd.convert(small_network(), dd.LinearStudent(gamma=2))
    return Setting(network, torch.zeros(1, 3, 8, 8), (8, 8), Segmentation(2))


def trainee(objective, where):
    torch.manual_seed(1)
    terms = {**equation_5(where, alpha=1.0), "adapted": Weighted(objective(where), 0.5)}
    own = own_modules(terms)
    groups = [(where.network.parameters(), 0.01), (own["adapted"].parameters(), 0.01)]
    return DistillTraining(
        OptimisedNetwork(
            where.network,
            optimisers.build("adamw", groups, weight_decay=0, momentum=0),
            Course(STEPS, "constant"),
            clip_norm=1.0,
            companions=own,
        ),
        terms,
        beta=0.5,
        search=SearchCourse(warmup=2, freeze=6),
        costs=macs_of_blocks(dd.count_macs(where.network, (3, 8, 8))),
        seed=4,
        tune_score=lambda between: 0.0,
    )


def test_a_training_goes_on_from_its_state_with_the_modules_of_its_objectives():
    batches = Brightness(2)
    whole, broken = trainee(Adapted, setting()), trainee(Adapted, setting())
    for index in range(2):
        whole.step(index, batches[index]), broken.step(index, batches[index])
    state = copy.deepcopy(broken.state())
    assert sorted(state["companions"]["adapted"]) == ["adapter.bias", "adapter.weight"]
    assert not any("adapter" in name for name in state["network"])
    resumed = trainee(Adapted, setting())
    resumed.restore(state)
    assert resumed.step(2, batches[2]) == whole.step(2, batches[2])


def test_its_modules_learn():
    training = trainee(Adapted, setting())
    before = training.terms["adapted"].objective.adapter.weight.clone()
    training.step(0, Brightness(2)[0])
    assert not torch.equal(training.terms["adapted"].objective.adapter.weight, before)


def test_a_gradient_of_its_modules_that_is_not_finite_is_named():
    class Broken(Adapted):
        def loss(self, seen, of):
            return super().loss(seen, of) + 0 * (self.adapter.bias - self.adapter.bias.detach()).sqrt().sum()

    with pytest.raises(FloatingPointError, match=r"the gradient of adapted: adapter\.bias is not finite"):
        trainee(Broken, setting()).step(0, Brightness(2)[0])


def test_a_weight_that_has_ended_costs_no_pass_and_counts_nothing():
    seen = []

    class Watched(BlockErrors):
        def loss(self, observation, of):
            seen.append(of)
            return super().loss(observation, of)

    where = setting()
    training = trainee(Adapted, where)
    training.terms = {"distillation": Weighted(Watched(), 1.0, steps=1), "adapted": training.terms["adapted"]}
    rows = [training.step(index, Brightness(2)[index]) for index in range(2)]
    assert rows[0]["distillation"] > 0
    assert rows[1]["distillation"] == 0
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("unheard_of", {}, "objective 'unheard_of' is unknown; allowed: attention_transfer, block_errors"),
        ("block_errors", {"power": 2}, "objective block_errors: got an unexpected keyword argument 'power'"),
        ("near_objects", {}, "label maps and no boxes"),
        ("objectives.test_making_and_keeping:no_objective", {}, "made a Identity; expected an Objective"),
    ],
)
def test_what_cannot_be_made_is_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        make_objective(name, setting(), options)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"weight": -1.0}, r"the weight of an objective is -1\.0; expected a number from 0 on"),
        ({"wieght": 1.0}, r"objective block_errors has \['wieght'\]; allowed: weight, options"),
    ],
)
def test_a_weight_that_cannot_be_meant_is_refused(how, message):
    with pytest.raises(ValueError, match=message):
        further_terms({"block_errors": how}, setting())


def test_a_module_that_the_network_does_not_have_is_named():
    with pytest.raises(
        ValueError, match=r"an objective names the module 'neck', which .* its children are 0, 1, 2"
    ):
        setting().maps("neck")


def test_a_refused_objective_leaves_a_networks_decisions_alone():
    network = setting().network
    with pytest.raises(ValueError, match="objective task_loss needs labels"):
        dd.distill(network, torch.rand(2, 2, 3, 8, 8), steps=1, objectives={"task_loss": {}}, progress=False)
    assert {block.decided for block in delta_blocks(network).values()} == {None}


def test_without_labels_the_end_is_judged_by_all_objectives_together(caplog):
    """By the distillation loss alone, which gives way to so heavy another, this end would be undone."""
    network, name = setting().network, "objectives.test_making_and_keeping:Adapted"
    torch.manual_seed(0)
    dd.distill(
        network, torch.rand(4, 2, 3, 8, 8), steps=5, progress=False, learning_rate=0.01,
        objectives={name: {"weight": 1e4, "options": {"module": "4"}}},
    )  # fmt: skip
    assert not caplog.records
