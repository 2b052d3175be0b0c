"""Costs of a search: MACs, or measured once a training and the same after an interruption."""

from dataclasses import dataclass

import pytest
import torch
from pipeline.test_params import changed, content  # noqa: F401
from torch import nn

import deltadistill as dd
from deltadistill.account.candidate_costs import CostTable, macs_of_blocks
from deltadistill.account.macs import count_macs
from deltadistill.distillation import search_milliseconds
from deltadistill.distillation.registry import COSTS
from deltadistill.pipeline import params
from deltadistill.pipeline.kept_costs import kept_costs, require_cost_options
from deltadistill.pipeline.params import Search
from deltadistill.pipeline.recipe_of_search import search_costs
from deltadistill.pipeline.training_run import TrainingRun
from deltadistill.processes.checkpoint import Checkpoint

SETTINGS = {"initial_logit": 0.0, "temperature": 1.0, "warmup": 0.1, "freeze": 0.3, "delta_budget": None}
TARGET = {"cost": 0.6, "length": 3}


def search(**changes) -> Search:
    return Search(**{**SETTINGS, "target": TARGET, **changes})


def delta_network() -> nn.Module:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Conv2d(8, 2, 3))
    return dd.convert(plain.train(), dd.LinearStudent(), where=dd.all_convolutions)


@dataclass
class Counting:
    """Another cost each time that it is asked."""

    asked: int = 0

    def __call__(self) -> CostTable:
        self.asked += 1
        return CostTable(blocks={"0": (2.0 * self.asked, 0.1)}, rest=0.3, teacher=5.0)


def test_measured_costs_are_measured_once_and_found_again_after_an_interruption(tmp_path):
    made, run = Counting(), TrainingRun(Checkpoint(tmp_path / "work", minutes=1))
    first = kept_costs(made, search(cost="milliseconds"), run)
    again = kept_costs(made, search(cost="milliseconds"), run)
    assert first == again == CostTable(blocks={"0": (2.0, 0.1)}, rest=0.3, teacher=5.0)
    assert made.asked == 1
    run.checkpoint.remove()  # the training is complete: another one measures anew
    assert kept_costs(made, search(cost="milliseconds"), run) != first


def test_costs_of_which_a_file_is_damaged_say_what_to_do(tmp_path):
    run = TrainingRun(Checkpoint(tmp_path, minutes=1))
    (tmp_path / "costs.json").write_text("{")
    with pytest.raises(ValueError, match=r"costs\.json.*delete it; the costs are measured again"):
        kept_costs(Counting(), search(cost="milliseconds"), run)


def test_macs_are_counted_and_no_file_is_left(tmp_path):
    made, run = Counting(), TrainingRun(Checkpoint(tmp_path / "work", minutes=1))
    kept_costs(made, search(), run)
    kept_costs(made, search(), run)
    assert made.asked == 2
    assert not (tmp_path / "work").exists()


def test_a_search_counts_macs_unless_it_says_otherwise():
    network = delta_network()
    expected = macs_of_blocks(count_macs(network, (3, 16, 16)), length=3)
    assert search_costs(network, search(), size=(3, 16, 16)) == expected


def test_milliseconds_are_those_of_candidates_as_a_training_leaves_them(monkeypatch):
    asked = {}

    class Times:
        def table_at(self, length):
            return length

    def measured(network, example, **settings):
        asked.update(settings, training=network.training, shape=tuple(example.shape))
        return Times()

    monkeypatch.setattr(search_milliseconds, "measure_layers", measured)
    network = delta_network()
    settings = search(cost="milliseconds", cost_options={"engine": "onnxruntime", "threads": 1})
    assert search_costs(network, settings, size=(3, 16, 24)) == 3
    expected = {"engine": "onnxruntime", "threads": 1, "trained": True, "training": False}
    assert asked.items() >= {**expected, "shape": (1, 3, 16, 24)}.items()
    assert network.training
    without = search(cost="milliseconds", target=None, delta_budget=0.5)
    assert search_costs(network, without, size=(3, 16, 24)) > 10**6  # key frames count for nothing


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"cost": "joules"}, "search cost 'joules' is unknown; allowed: macs, milliseconds"),
        ({"cost": "macs", "cost_options": {"threads": 1}}, "which has none"),
    ],
)
def test_a_cost_that_cannot_be_meant_is_refused(content, value, message):  # noqa: F811
    section = {**content["distill"]["search"], **value}
    with pytest.raises(ValueError, match=message):
        params.parse(changed(content, "distill.search", section))


@pytest.mark.parametrize(
    ("cost", "options", "message"),
    [
        (
            "milliseconds",
            {"engin": "auto"},
            "unexpected keyword argument 'engin' among its options; it takes",
        ),
        ("milliseconds", {"engine": "fast"}, "engine 'fast' is unknown; allowed: onnxruntime, openvino"),
        ("scripted_costs:nothing", {}, "has no 'nothing'"),
        ("scripted_costs:tenths", {"units": 2}, r"it takes unit=1\.0"),
    ],
)
def test_options_that_a_cost_does_not_take_are_refused_beforehand(cost, options, message):
    with pytest.raises(ValueError, match=message):
        require_cost_options(search(cost=cost, cost_options=options))


def test_options_that_a_cost_takes_are_none_of_a_fault():
    for options in ({}, {"engine": "openvino", "threads": 2, "precision": "bf16"}, {"engine": "auto"}):
        require_cost_options(search(cost="milliseconds", cost_options=options))
    require_cost_options(search())


def test_every_cost_of_the_table_is_there():
    assert all(callable(COSTS.find(name)) for name in COSTS)
