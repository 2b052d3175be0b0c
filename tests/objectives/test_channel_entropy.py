"""FEDS by hand: entropies of rounded values, the weighted error, and that it learns."""

import pytest
import torch
from objectives.learning import learns_everywhere
from objectives.test_making_and_keeping import setting

from deltadistill.objectives.channel_entropy import entropies, rounded_counts, shares, weighted_error
from deltadistill.objectives.setting import make_objective


def test_entropies_by_hand():
    """Four values once each: 2 bits. Two values twice each: 1 bit. One value: none."""
    maps = torch.tensor([[[[0.0, 1.0, 2.0, 3.0]], [[0.1, -0.2, 1.1, 0.9]], [[5.0, 5.0, 5.0, 5.0]]]])
    found = entropies(rounded_counts(maps, 1.0))
    assert found.tolist() == pytest.approx([2, 1, 0], abs=1e-9)
    assert shares(found).tolist() == pytest.approx([2 / 3, 1 / 3, 0])


def test_where_no_channel_tells_anything_all_weigh_alike():
    assert shares(torch.zeros(4)).tolist() == [0.25] * 4


def test_what_lies_far_off_counts_as_the_last_step():
    counts = rounded_counts(torch.tensor([[[[1e6, -1e6, 40.0]]]]), 1.0)
    assert counts[0, 0] == 1
    assert counts[0, -1] == 2


def test_the_loss_by_hand():
    """Channel errors 2 and 4 at both places: mean squares 4 and 16. Weights ¾ and ¼: 7. The teacher's: 5."""
    maps, taught = torch.tensor([[[[3.0, 3.0]], [[7.0, 7.0]]]]), torch.tensor([[[[1.0, 1.0]], [[3.0, 3.0]]]])
    weights, energy, size = torch.tensor([0.75, 0.25]), torch.tensor(20.0), torch.tensor(4.0)
    assert weighted_error(maps, taught, weights, energy, size).item() == pytest.approx(7 / 5)


def test_it_learns():
    learns_everywhere("channel_entropy", {}, per_frame_options={"modules": {"2": "3"}})


def test_a_step_of_nothing_is_refused():
    with pytest.raises(ValueError, match="step 0 must be above 0"):
        make_objective("channel_entropy", setting(), {"step": 0})
