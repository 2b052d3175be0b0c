"""When an objective counts, and with which weight, in shares of the steps."""

import pytest
import torch
from objectives.test_making_and_keeping import setting

from deltadistill.distillation.weighted import Weighted, further_terms
from deltadistill.objectives.block_errors import BlockErrors
from deltadistill.pipeline.params.losses import FurtherObjective


def test_a_weight_that_changes_by_hand():
    """From step 2 to step 5, from 1 to 4: one more at each."""
    weighted = Weighted(BlockErrors(), 1.0, steps=6, begin=2, last=4.0)
    assert [weighted.at(step) for step in range(8)] == [0, 0, 1, 2, 3, 4, 0, 0]


def test_a_weight_of_one_step_is_what_it_begins_with():
    assert Weighted(BlockErrors(), 1.0, steps=3, begin=2, last=4.0).at(2) == 1


def test_shares_of_the_steps_become_steps():
    (term,) = further_terms(
        {"block_errors": {"weight": 2.0, "starts": 0.25, "until": 0.5}}, setting_without_task(), steps=8
    ).values()
    assert [term.at(step) for step in range(8)] == [0, 0, 2, 2, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("how", "steps", "message"),
    [
        ({"starts": 0.5, "until": 0.5}, 8, r"counts from 0\.5 to 0\.5 of the steps; expected 0 ≤ … < … ≤ 1"),
        ({"until": 0.5}, None, "has a schedule in shares of the steps, and their number is not known"),
        ({"until": 0.5, "last": -1.0}, 8, r"the weight of an objective is -1\.0"),
    ],
)
def test_a_schedule_that_cannot_be_meant_is_refused(how, steps, message):
    with pytest.raises(ValueError, match=message):
        further_terms({"block_errors": how}, setting_without_task(), steps=steps)


def test_a_change_without_an_end_is_refused():
    with pytest.raises(ValueError, match="needs to know which that is"):
        Weighted(BlockErrors(), 1.0, last=2.0)


def test_only_what_counts_at_every_step_may_stand_alone():
    assert FurtherObjective(weight=1.0).throughout
    for other in ({"starts": 0.1}, {"until": 0.9}, {"last": 0.0}):
        assert not FurtherObjective(weight=1.0, **other).throughout
    with pytest.raises(ValueError, match=r"until 0\.5 is not after starts 0\.5"):
        FurtherObjective(weight=1.0, starts=0.5, until=0.5)


def setting_without_task():
    torch.manual_seed(0)
    return setting()
