"""Multi-granularity distillation by hand: frames, regions and pixels, and that it learns."""

import pytest
import torch
from objectives.learning import learns_everywhere
from objectives.test_making_and_keeping import setting

from deltadistill.objectives.multi_granularity import image_loss, region_loss, self_likeness
from deltadistill.objectives.setting import make_objective


def test_the_loss_of_whole_frames_by_hand():
    """Mean logits (2, 0) and (1, 3): 1 + 3. Of vectors the same."""
    logits, taught = (
        torch.tensor([[[[1.0, 3.0]], [[0.0, 0.0]]]]),
        torch.tensor([[[[1.0, 1.0]], [[2.0, 4.0]]]]),
    )
    assert image_loss(logits, taught).item() == pytest.approx(4)
    assert image_loss(torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0, 3.0]])).item() == pytest.approx(4)


def test_the_loss_of_regions_by_hand():
    """Two regions at right angles, and (3, 4) and (4, 3), cosine 0.96: two of four entries differ."""
    maps, taught = torch.tensor([[[[1.0, 0.0]], [[0.0, 9.0]]]]), torch.tensor([[[[3.0, 4.0]], [[4.0, 3.0]]]])
    assert self_likeness(taught)[0].flatten().tolist() == pytest.approx([1, 0.96, 0.96, 1])
    assert region_loss(maps, taught).item() == pytest.approx(0.96**2 / 2)


def test_regions_do_not_see_how_large_features_are():
    torch.manual_seed(0)
    maps = torch.rand(2, 3, 2, 2)
    assert region_loss(7 * maps, maps).item() == pytest.approx(0, abs=1e-10)


def test_it_learns():
    learns_everywhere("multi_granularity", {"grid": 4}, per_frame_options={"modules": {"2": "3"}})


@pytest.mark.parametrize("options", [{"image": -1.0}, {"region": -1.0}, {"grid": 0}])
def test_what_cannot_be_meant_is_refused(options):
    with pytest.raises(ValueError, match=r"must be at least 0, grid \d+ at least 1"):
        make_objective("multi_granularity", setting(), options)
