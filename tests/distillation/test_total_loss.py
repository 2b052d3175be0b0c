"""The whole of Eq. 5 against numbers worked by hand: its weights, its mean over blocks, its price."""

from math import log

import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.account.amortised_target import AmortisedTarget
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.sessions import CallError
from deltadistill.distillation import label_free
from deltadistill.distillation.search_course import SearchCourse
from deltadistill.distillation.training import DistillTraining
from deltadistill.distillation.weighted import equation_5
from deltadistill.objectives.relative_errors import distillation_loss
from deltadistill.objectives.setting import Setting
from deltadistill.tasks.segmentation import Segmentation
from deltadistill.training import optimiser as optimisers
from deltadistill.training.optimised_network import OptimisedNetwork
from deltadistill.training.optimiser import Course

# Both candidates of both blocks predict half of what their teacher does, whatever the gates draw. The first
# block's error is (1 − 1/2)²; the second sees half the change and predicts a quarter: (1 − 1/4)².
DISTILLATION = (0.25 + 0.5625) / 2
# At even gates a delta frame costs 40 + (100 + 20) / 2 + (60 + 20) / 2 = 140 of 200.
COSTS = dd.CostTable({"1": (100.0, 20.0), "2": (60.0, 20.0)}, rest=40.0, teacher=200.0)
COST = 0.7
TARGET = AmortisedTarget(0.8, 5)  # (5 · 0.8 − 1) / 4 = 0.75 of the teacher for a delta frame


def half_students():
    layers = [
        nn.Conv2d(inputs, outputs, 1, bias=False) for inputs, outputs in ((3, 1), (1, 1), (1, 1), (1, 2))
    ]
    for layer, weight in zip(layers, (1.0, 2.0, 3.0, 0.0), strict=True):
        nn.init.constant_(layer.weight, weight)
    network = dd.convert(nn.Sequential(*layers), dd.LinearStudent(gamma=1, keep_dearer=True))
    for block in delta_blocks(network).values():
        nn.init.constant_(block.uncompressed.weight, block.teacher.weight.item() / 2)
        nn.init.constant_(block.compressed[0].weight, block.teacher.weight.item() / 2)
        nn.init.constant_(block.compressed[1].weight, 1.0)
    return network


def first_step(*, alpha=2.0, beta=3.0, task="none", index=0, target=None):
    """The row of one step on clips of two frames; the search acts from step 0 to 4."""
    network = half_students()
    setting = Setting(network, torch.zeros(1, 3, 4, 4), (4, 4), Segmentation(2))
    trainee = DistillTraining(
        OptimisedNetwork(
            network,
            optimisers.build("sgd", [(network.parameters(), 0.1)], weight_decay=0, momentum=0),
            Course(10, "constant"),
        ),
        equation_5(setting, alpha=alpha, task=task),
        beta=beta,
        search=SearchCourse(warmup=1 if index == 0 else 0, freeze=5, target=target),
        costs=COSTS,
        seed=0,
        tune_score=lambda _: 0.0,
    )
    clip = torch.tensor([10, 200], dtype=torch.uint8).reshape(1, 2, 1, 1, 1).expand(1, 2, 3, 4, 4)
    return trainee.step(index, {"clip": clip, "label": torch.zeros(1, 2, 4, 4, dtype=torch.uint8)})


def errors():
    return [CallError(torch.tensor(2.0), torch.tensor(2.0)), CallError(torch.tensor(4.0), torch.tensor(1.0))]


def test_distillation_is_the_mean_of_the_errors():
    assert distillation_loss(errors()).item() == 2.5


def test_parts_of_a_batch_divide_by_the_energy_of_the_whole():
    assert distillation_loss(errors(), torch.tensor([4.0, 8.0])).item() == 0.5


def test_the_terms_of_a_step_are_those_worked_by_hand():
    row = first_step(index=1)
    assert row["distillation"] == pytest.approx(DISTILLATION)
    assert row["cost"] == pytest.approx(COST)


@pytest.mark.parametrize(("alpha", "beta"), [(2.0, 3.0), (5.0, 3.0), (2.0, 0.5)])
def test_the_loss_is_alpha_times_distillation_plus_beta_times_cost_equation_5(alpha, beta):
    row = first_step(alpha=alpha, beta=beta, index=1)
    assert row["loss"] == pytest.approx(alpha * 0.40625 + beta * 0.7)


def test_the_loss_of_the_task_counts_once():
    # the last layer is zero: two classes are equally likely everywhere, − log(1/2)
    assert first_step(task="labels", index=1)["loss"] == pytest.approx(log(2) + 2 * 0.40625 + 3 * 0.7)


def test_with_a_target_the_price_is_the_distance_from_it():
    # |0.70 − 0.75| = 0.05
    assert first_step(index=1, target=TARGET)["loss"] == pytest.approx(2 * 0.40625 + 3 * 0.05)


def test_cost_has_no_price_in_the_warm_up():
    assert first_step(index=0)["loss"] == pytest.approx(2 * 0.40625)


def test_without_labels_the_loss_is_distillation_plus_beta_times_the_distance(monkeypatch):
    monkeypatch.setattr(label_free, "_WARM_UP", 0)
    monkeypatch.setattr(torch.optim, "Adam", torch.optim.SGD)  # whose steps are as long as their gradients
    network, clips = half_students(), torch.tensor([1.0, 2.0]).reshape(1, 2, 1, 1, 1).expand(1, 2, 3, 4, 4)
    losses = dd.distill(
        network, clips, steps=2, batch=1, cost=0.8, length=5, costs=COSTS, beta=3.0, learning_rate=0.1,
        progress=False,
    )  # fmt: skip
    assert losses[0] == pytest.approx(DISTILLATION)
    # Candidates alike leave the gates to the cost: a rate of 10 · 0.1, and 3 · σ'(0) · (100 − 20) / 200 up,
    # towards the dearer, as 0.70 lies below 0.75; (60 − 20) / 200 for the other
    logits = [block.gate.logit.item() for block in delta_blocks(network).values()]
    assert logits == pytest.approx([3 * 0.25 * 0.4, 3 * 0.25 * 0.2])
