"""ACAM-KD by hand: attention, masked errors, diversity, and that it learns."""

import math

import pytest
import torch
from objectives.learning import learns_everywhere
from objectives.test_making_and_keeping import setting

from deltadistill.objectives.cooperative_masks import Masks, attended, likeness, masked_error
from deltadistill.objectives.setting import make_objective


def test_attention_by_hand():
    """Products ln 3 and 0, shares ¾ and ¼ of the values 4 and 8; the second query is 0: halves."""
    queries, keys = torch.tensor([[[[math.log(3), 0.0]]]]), torch.tensor([[[[1.0, 0.0]]]])
    values = torch.tensor([[[[4.0, 8.0]], [[0.0, 4.0]]]])
    assert attended(queries, keys, values)[0, :, 0].tolist() == [pytest.approx([5, 6]), pytest.approx([1, 2])]


def test_the_masked_error_by_hand():
    """Errors (2, 0) of channel one and (0, 4) of channel two; the teacher's mean square is 2.

    Over channels places have 2 and 8, over places channels have 2 and 8. Masks ½ and 1 of places:
    (1 + 8) / 1.5 = 6; 1 and 0 of channels: 2.
    """
    taught = torch.tensor([[[[2.0, 0.0]], [[2.0, 0.0]]]])
    maps = taught + torch.tensor([[[[2.0, 0.0]], [[0.0, 4.0]]]])
    loss = masked_error(maps, taught, torch.tensor([[[[0.5, 1.0]]]]), torch.tensor([[[1.0, 0.0]]]))
    assert loss.item() == pytest.approx((6 + 2) / 2)


def test_how_alike_masks_are_by_hand():
    """Of (1, 0), (1, 0) and (0, 1): one pair is the same, two have nothing in common."""
    masks = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
    assert likeness(masks).item() == pytest.approx(1 / 3)


def test_masks_are_of_every_place_and_every_channel():
    torch.manual_seed(0)
    maker = Masks(4, masks=3, width=2)
    of_places, of_channels = maker(torch.rand(2, 4, 6, 8), torch.rand(2, 4, 6, 8), grid=3)
    assert of_places.shape == (2, 3, 6, 8)
    assert of_channels.shape == (2, 3, 4)
    assert 0 < of_places.min() < of_places.max() < 1


def test_it_learns():
    learns_everywhere("cooperative_masks", {"grid": 4}, per_frame_options={"modules": {"2": "3"}})


@pytest.mark.parametrize("options", [{"masks": 1}, {"diversity": -1.0}, {"width": 0}, {"grid": 0}])
def test_what_cannot_be_meant_is_refused(options):
    with pytest.raises(ValueError, match=r"masks \d must be at least 2"):
        make_objective("cooperative_masks", setting(), options)
