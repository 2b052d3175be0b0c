"""The one-shot criterion: errors of each block by hand, the best choice of all, a training after it."""

from itertools import combinations

import pytest
import torch
from data.small_dataset import SIZE, make_manifest
from distributed.equal_recipes import street_network
from torch import nn
from training.test_recipes import toy

import deltadistill as dd
from deltadistill.account.amortised_target import AmortisedTarget
from deltadistill.account.candidate_costs import CostTable, delta_cost
from deltadistill.account.macs import count_macs
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.data.frames import FrameStore
from deltadistill.distillation.one_shot import decide_by_output_errors, output_errors
from deltadistill.distillation.training import DistillTraining
from deltadistill.pipeline.recipe_of_distillation import distill
from deltadistill.pipeline.training_run import TrainingRun
from deltadistill.tasks.segmentation import Segmentation

CLIP = torch.tensor([0.0, 0.0, 1.0, 1.0]).reshape(1, 2, 1, 1, 2)  # two frames of one place


def two_layers():
    """Both multiply each channel by itself: by 3 and 4, then by 1 and 5; rank 1 keeps the larger of them."""
    layers = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    for layer, weights in zip(layers, ([3.0, 4.0], [1.0, 5.0]), strict=True):
        layer.weight.data = torch.diag(torch.tensor(weights))
    students = dd.LinearStudent(gamma=2, keep_dearer=True)
    return dd.convert(nn.Sequential(*layers).eval(), students, dd.all_layers)


def test_errors_of_each_block_alone_by_hand():
    """The frame is (1, 1) after (0, 0), so that the output is (3, 20), of energy 409.

    Without the first layer's 3 it is (0, 20), without the second's 1 likewise: 9 / 409 both.
    """
    network = two_layers()
    errors = output_errors(network, CLIP)
    assert errors == pytest.approx({"0": 9 / 409, "1": 9 / 409})
    assert {block.decided for block in delta_blocks(network).values()} == {None}


def test_a_decision_that_was_there_stays():
    network = two_layers()
    delta_blocks(network)["1"].decide("compressed")
    output_errors(network, CLIP)
    assert [block.decided for block in delta_blocks(network).values()] == [None, "compressed"]


@pytest.mark.parametrize("cost", [0.62, 0.7, 0.8, 0.95])
def test_the_choice_has_the_least_sum_of_errors_of_all_that_the_target_allows(cost):
    torch.manual_seed(0)
    layers = [nn.Conv2d(4, 4, 3, padding=1) for _ in range(6)]
    network = dd.convert(nn.Sequential(*layers).eval(), dd.LinearStudent(gamma=2), dd.all_layers)
    extras = {"0": 9.0, "1": 7.0, "2": 6.0, "3": 4.0, "4": 3.0, "5": 1.0}
    errors = {"0": 5.0, "1": 4.5, "2": 3.0, "3": 2.5, "4": 1.9, "5": 0.2}
    costs = CostTable({name: (extra + 1, 1.0) for name, extra in extras.items()}, rest=0.0, teacher=36.0)
    target = AmortisedTarget(cost, length=3)
    decide_by_output_errors(network, costs, target, errors)
    decided = {name for name, block in delta_blocks(network).items() if block.decided == "compressed"}
    assert delta_cost(network, costs) <= target.delta_share * costs.teacher + 1e-9
    allowed = [
        names for count in range(7) for names in combinations(extras, count)
        if 36.0 - sum(extras[name] for name in names) <= target.delta_share * 36.0
    ]  # fmt: skip
    best = min(sum(errors[name] for name in names) for names in allowed)
    assert sum(errors[name] for name in decided) == pytest.approx(best)


def test_a_recipe_decides_before_its_first_step_and_reaches_its_target(tmp_path, monkeypatch):
    store = FrameStore(make_manifest(tmp_path))
    teacher, task = street_network(len(store.classes)), Segmentation(len(store.classes))
    settings = toy(search={"chosen_by": "output_errors", "target": {"cost": 0.8, "length": 3}}).distill
    step, decided = DistillTraining.step, []

    def watched(self, index, batch):
        decided.append({block.decided for block in delta_blocks(self.network).values()})
        return step(self, index, batch)

    monkeypatch.setattr(DistillTraining, "step", watched)
    trained = distill(teacher, task, store, settings, predicts="delta", seed=0, run=TrainingRun())
    assert decided[0] == {"compressed", "uncompressed"}
    table = count_macs(trained.network, (3, *SIZE))
    assert table.amortised(3) <= 0.8 * table.teacher


def test_a_choice_beforehand_without_a_target_is_refused():
    with pytest.raises(ValueError, match="chosen_by output_errors needs a target"):
        toy(search={"chosen_by": "output_errors", "target": None})
