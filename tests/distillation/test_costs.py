"""Tables of costs: what they refuse, and what is within reach."""

import math

import pytest

from deltadistill.account.amortised_target import AmortisedTarget
from deltadistill.account.candidate_costs import CostTable

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
