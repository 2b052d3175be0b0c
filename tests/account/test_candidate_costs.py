"""Costs of candidates and what a search is to reach: by hand, what is refused, what is within reach."""

import math

import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.account.amortised_target import AmortisedTarget
from deltadistill.account.candidate_costs import CostTable, delta_cost, macs_of_blocks
from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.account.macs_table import LayerMacs, MacTable
from deltadistill.account.network_costs import network_costs

BLOCKS = {"a": (100.0, 20.0), "b": (30.0, 45.0), "c": (5.0, 0.0)}


def test_the_cheapest_frame_takes_the_cheaper_candidate_of_each_block():
    assert CostTable(BLOCKS, rest=50.0, teacher=200.0).cheapest == 50 + 20 + 30 + 0


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, -0.5])
@pytest.mark.parametrize("place", [0, 1])
def test_costs_of_a_block_are_finite_and_not_negative(wrong, place):
    pair = [1.0, 1.0]
    pair[place] = wrong
    with pytest.raises(ValueError, match="costs of block 'b' are"):
        CostTable({**BLOCKS, "b": tuple(pair)}, rest=0.0, teacher=1.0)


@pytest.mark.parametrize("pair", [(1.0,), (1.0, 2.0, 3.0)])
def test_a_block_has_two_costs(pair):
    with pytest.raises(ValueError, match="costs of block 'b'"):
        CostTable({**BLOCKS, "b": pair}, rest=0.0, teacher=1.0)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, -0.5])
def test_rest_and_teacher_are_finite_and_not_negative(wrong):
    with pytest.raises(ValueError, match="the rest costs"):
        CostTable(BLOCKS, rest=wrong, teacher=1.0)
    with pytest.raises(ValueError, match="the teacher costs"):
        CostTable(BLOCKS, rest=0.0, teacher=wrong)


def test_nothing_may_cost_nothing_but_the_teacher():
    CostTable({"a": (0.0, 0.0)}, rest=0.0, teacher=1e-9)
    with pytest.raises(ValueError, match=r"the teacher costs 0\.0; expected a number above 0"):
        CostTable(BLOCKS, rest=0.0, teacher=0.0)


def test_a_share_that_the_cheapest_frame_just_keeps_is_within_reach():
    costs = CostTable(BLOCKS, rest=50.0, teacher=200.0)
    costs.require_share(0.5)
    with pytest.raises(ValueError, match=r"at 0\.490 of the teacher .*everywhere it costs 0\.500"):
        costs.require_share(0.49)


def test_a_target_that_the_cheapest_frame_just_keeps_is_within_reach():
    costs = CostTable(BLOCKS, rest=50.0, teacher=200.0)
    costs.require_target(AmortisedTarget(0.625, 4))  # (1 + 3 · 0.5) / 4
    with pytest.raises(ValueError, match=r"a delta frame 0\.467 .* costs 0\.500, which is 0\.625 per frame"):
        costs.require_target(AmortisedTarget(0.6, 4))


@pytest.mark.parametrize(
    ("length", "cost", "share"), [(2, 0.75, 0.5), (3, 0.5, 0.25), (5, 0.6, 0.5), (4, 1, 1)]
)
def test_a_sequence_is_one_key_frame_and_delta_frames_of_a_share(length, cost, share):
    target = AmortisedTarget(cost, length)
    assert target.delta_share == pytest.approx(share)
    assert target.delta_share_of(0.8) == pytest.approx((0.8 * length - 1) / (length - 1))
    assert target.cost_at(share) == pytest.approx(cost)
    assert target.cost_at(0) == pytest.approx(1 / length)  # the key frame alone


def test_a_target_lies_between_the_key_frames_share_and_the_teachers_cost():
    for wrong in (0.25, 0.2, 1.01):
        with pytest.raises(
            ValueError, match=rf"cost {wrong} at length 4 .* own share, 0\.250, and be at most 1"
        ):
            AmortisedTarget(wrong, 4)
    for wrong in (1, 0, -3):
        with pytest.raises(ValueError, match=f"length {wrong} must be at least 2; 1 has no delta frames"):
            AmortisedTarget(0.9, wrong)


def row(name, teacher, **options):
    return LayerMacs(name, "convolution", (1, 3, 4, 5), (1, 2, 4, 5), 1, teacher, **options)


TABLE = MacTable(
    "convolution",
    (
        row("kept", 7),
        row("linear", 100, uncompressed_macs=100, compressed_macs=20, chosen="compressed"),
        row(
            "nonlinear", 60, uncompressed_macs=61, uncompressed_key_macs=3,
            compressed_macs=10, compressed_key_macs=30, chosen="uncompressed",
        ),
        row("rule", 40, rule_macs=4, rule_key_macs=12, chosen="rule"),
    ),
    (),
)  # fmt: skip


def test_costs_of_candidates_are_their_macs_on_a_delta_frame():
    costs = macs_of_blocks(TABLE)
    assert costs.blocks == {"linear": (100, 20), "nonlinear": (61, 10)}
    assert (costs.rest, costs.teacher) == (7 + 4, 207)


@pytest.mark.parametrize("length", [2, 4])
def test_what_a_key_frame_prepares_is_spread_over_its_delta_frames(length):
    costs = macs_of_blocks(TABLE, length=length)
    later = length - 1
    assert costs.blocks == {"linear": (100, 20), "nonlinear": (61 + 3 / later, 10 + 30 / later)}
    assert (costs.rest, costs.teacher) == (7 + 4 + 12 / later, 207)


def network():
    torch.manual_seed(0)
    layers = [nn.Conv2d(3 if i == 0 else 8, 8, 3, padding=1) for i in range(5)]
    return dd.convert(nn.Sequential(*layers).eval(), dd.LinearStudent(gamma=4), dd.inner_layers)


def test_a_delta_frame_costs_what_its_blocks_have_chosen():
    delta = network()
    costs = CostTable({"1": (100.0, 20.0), "2": (30.0, 45.0), "3": (5.0, 0.5)}, rest=7.0, teacher=200.0)
    costs.require_blocks_of(delta)
    for number, choice in {1: "compressed", 2: "uncompressed", 3: "compressed"}.items():
        delta[number].decide(choice)
    assert delta_cost(delta, costs) == 7 + 20 + 30 + 0.5


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("12", r"without a cost \['3'\], not in the network \[\]"),
        ("1234", r"without a cost \[\], not in the network \['4'\]"),
        ("456789", r"without a cost \['1', '2', '3'\], not in the network \['4', '5', '6', '7', '8'\];"),
    ],
)
def test_a_table_of_other_blocks_is_refused_with_their_names(names, said):
    with pytest.raises(ValueError, match=said):
        CostTable(dict.fromkeys(names, (2.0, 1.0)), rest=0.0, teacher=9.0).require_blocks_of(network())


def test_networks_of_a_predictor_cost_what_their_tables_say():
    delta = network()
    delta[2].decide("compressed")
    found = network_costs({"main": delta, "beside": nn.Conv2d(3, 2, 1)}, (3, 4, 5))
    table = dd.count_macs(delta, (3, 4, 5))
    assert table.key > table.delta
    assert found["main"] == FrameCosts(key=Cost(macs=table.key), delta=Cost(macs=table.delta))
    assert found["beside"] == FrameCosts(key=Cost(macs=120), delta=Cost(macs=120))
