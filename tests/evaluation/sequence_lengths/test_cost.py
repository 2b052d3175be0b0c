"""Cost of a predictor per frame."""

import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.evaluation import costs_by_length as costs_module
from deltadistill.evaluation.costs_by_length import costs_by_length
from deltadistill.predictors.predictor import build

SIZE = (3, 8, 8)


@pytest.fixture
def teacher():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 2, 1))


@pytest.fixture
def network(teacher):
    converted = dd.convert(teacher.eval(), dd.LinearStudent(gamma=4))
    converted[1].decide("compressed")
    return converted


# 64 pixels: the teacher's convolutions are 27·8, 72·8 and 8·2 per pixel; the student's 8·3·2 and 2·3·8.
KEY, DELTA = 64 * (216 + 576 + 16), 64 * (216 + 96 + 16)


def test_a_stream_costs_one_key_frame_and_delta_frames(network, teacher):
    costs = costs_by_length(build("stream", network, None), network, teacher, [1, 4], size=SIZE)
    assert costs[1] == {"gmacs": KEY / 1e9, "macs_ratio": 1}
    amortised = (KEY + 3 * DELTA) / 4
    assert costs[4] == pytest.approx({"gmacs": amortised / 1e9, "macs_ratio": amortised / KEY})


def test_copies_cost_nothing(teacher):
    costs = costs_by_length(build("copy", teacher, None), teacher, teacher, [4], size=SIZE)
    assert costs[4]["macs_ratio"] == pytest.approx(1 / 4)


def test_a_network_is_counted_once(teacher, monkeypatch):
    counted = []
    count = costs_module.count_macs
    monkeypatch.setattr(
        costs_module, "count_macs", lambda network, size: counted.append(network) or count(network, size)
    )
    costs_by_length(build("copy", teacher, None), teacher, teacher, [4], size=SIZE)
    assert counted == [teacher]


def test_a_predictor_that_says_no_macs_is_refused(teacher):
    class Silent:
        def begin(self, stream): ...

        def costs(self, networks):
            return FrameCosts(Cost(macs=5), self.later)

    silent = Silent()
    silent.later = Cost(macs=2)
    assert costs_by_length(silent, teacher, teacher, [5], size=SIZE)[5]["gmacs"] == pytest.approx(2.6e-9)
    silent.later = Cost()
    with pytest.raises(ValueError, match=r"Silent\.costs leaves the MACs of a frame open, .*the x-axis"):
        costs_by_length(silent, teacher, teacher, [1, 3], size=SIZE)
