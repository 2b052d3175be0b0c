"""Normalised feature distillation by hand, and that it learns."""

import pytest
import torch
from objectives.learning import learns_everywhere
from objectives.test_making_and_keeping import setting

from deltadistill.objectives.normalised_features import normalised
from deltadistill.objectives.setting import make_objective


@pytest.mark.parametrize(("power", "expected"), [(1, 8 / 4), (2, 8 / 16)])
def test_the_loss_by_hand(power, expected):
    """Errors (4, 0): a mean square of 8. The teacher's (4, 4): a mean square of 16, a norm of 4."""
    maps, taught = torch.tensor([[[[8.0, 4.0]]]]), torch.tensor([[[[4.0, 4.0]]]])
    loss = normalised(maps, taught, torch.tensor([32.0, 2.0]), power=power)
    assert loss.item() == pytest.approx(expected)


def test_power_two_has_no_unit_and_power_one_that_of_the_map():
    torch.manual_seed(0)
    maps, taught = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    of = torch.stack([taught.square().sum(), torch.tensor(96.0)])
    larger = torch.stack([100 * taught.square().sum(), torch.tensor(96.0)])
    for power, factor in ((1, 10), (2, 1)):
        loss = float(normalised(maps, taught, of, power=power))
        assert float(normalised(10 * maps, 10 * taught, larger, power=power)) == pytest.approx(
            factor * loss, rel=1e-5
        )


@pytest.mark.parametrize("power", [1, 2])
def test_it_learns(power):
    learns_everywhere(
        "normalised_features",
        {"power": power},
        per_frame_options={"modules": {"2": "3", "4": "5"}, "power": power},
    )


def test_another_power_is_refused():
    with pytest.raises(ValueError, match="power 3 is unknown; allowed: 1, 2"):
        make_objective("normalised_features", setting(), {"power": 3})
