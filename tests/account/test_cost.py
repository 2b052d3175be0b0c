"""Costs by hand: parts that add up, a frame's share of a sequence, and what is not known."""

import pytest
from architectures import build as architecture

import deltadistill as dd
from deltadistill.account.cost import NOTHING, Cost, FrameCosts, mean
from deltadistill.predictors.predictor import MAIN, build


@pytest.fixture
def delta_network():
    return dd.convert(architecture("in place"), dd.LinearStudent(gamma=2))


KEY, DELTA = Cost(macs=100, milliseconds=8.0, bytes=40), Cost(macs=10, milliseconds=2.0, bytes=40)


def test_costs_of_parts_add_up_and_are_shared_out():
    assert Cost(110, 10.0, 80) == KEY + DELTA
    assert Cost(55, 5.0, 40) == (KEY + DELTA) / 2
    assert Cost(30, 6.0, 120) == DELTA * 3
    assert KEY + NOTHING == KEY


def test_what_is_not_known_of_a_part_is_not_known_of_the_sum():
    assert Cost(macs=1) + Cost(macs=2, milliseconds=3) == Cost(macs=3)
    assert Cost(macs=1) / 2 == Cost(macs=0.5)
    assert mean([Cost(macs=1, bytes=2), Cost(macs=2)]) == Cost(macs=1.5)


def test_a_sequence_has_one_key_frame():
    costs = FrameCosts(KEY, DELTA)
    assert costs.amortised(1) == KEY
    assert costs.amortised(4) == Cost(macs=130 / 4, milliseconds=14 / 4, bytes=40)
    assert costs.of_frame(is_key=True) is KEY
    assert costs.of_frame(is_key=False) is DELTA


def test_a_sequence_of_no_frames_and_the_mean_of_none_are_refused():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        FrameCosts(KEY, DELTA).amortised(0)
    with pytest.raises(ValueError, match="no frame"):
        mean([])


@pytest.mark.parametrize(
    ("predict", "macs"),
    [("per_frame", [100, 100.0, 100.0]), ("copy", [100, 50.0, 20.0]), ("stream", [100, 55.0, 28.0])],
)
def test_what_each_predictor_costs_at_lengths_1_2_and_5(predict, macs, delta_network):
    costs = build(predict, delta_network, None).costs({MAIN: FrameCosts(Cost(macs=100), Cost(macs=10))})
    assert [costs.amortised(length).macs for length in (1, 2, 5)] == macs
