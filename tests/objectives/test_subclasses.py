"""LELP by hand: directions of a class, shares of its subclasses, and that it learns."""

import math

import pytest
import torch
from objectives.learning import learns_everywhere
from objectives.test_making_and_keeping import setting

from deltadistill.objectives.setting import make_objective
from deltadistill.objectives.subclasses import class_directions, subclass_shares


def test_directions_by_hand():
    """Class 0 at 1 and 5 of the first axis: mean 3, spread 2, direction (1, 0) / 2. Class 1: one place."""
    features, classes = torch.tensor([[1.0, 7.0], [5.0, 7.0], [9.0, 9.0]]), torch.tensor([0, 0, 1])
    means, directions = class_directions(features, classes, 2, 2)
    assert means.tolist() == [[3, 7], [0, 0]]
    assert directions[0, 0].tolist() == pytest.approx([0.5, 0])
    assert directions[0, 1].tolist() == [0, 0]  # it does not vary there
    assert directions[1].abs().sum() == 0


def test_shares_of_subclasses_by_hand():
    """The feature (3 + ln 3, 7) is ½ ln 3 along the direction: ± that, e to it √3 and 1/√3, so ¾ and ¼."""
    taught = torch.tensor([3 + math.log(3), 7.0]).reshape(1, 2, 1, 1)
    means, directions = torch.tensor([[3.0, 7.0], [0.0, 0.0]]), torch.tensor([[[0.5, 0.0]], [[0.0, 0.0]]])
    shares = subclass_shares(taught, means, directions, temperature=1.0)
    assert shares[0, 0, :, 0, 0].tolist() == pytest.approx([0.75, 0.25])
    assert shares[0, 1, :, 0, 0].tolist() == pytest.approx([0.5, 0.5])


def test_the_shares_of_a_class_add_up_to_one():
    torch.manual_seed(0)
    shares = subclass_shares(torch.rand(2, 3, 4, 4), torch.rand(5, 3), torch.rand(5, 2, 3), temperature=0.5)
    assert shares.shape == (2, 5, 4, 4, 4)
    assert torch.allclose(shares.sum(2), torch.ones(2, 5, 4, 4))


def test_it_learns():
    learns_everywhere("subclasses", {"modules": "3"}, per_frame_options={"modules": {"2": "3"}})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"modules": "3", "directions": 0}, "directions 0 must be at least 1"),
        ({"modules": "3", "temperature": 0.0}, "temperature 0.0 above 0"),
        ({"modules": ["0", "3"]}, "is for one map, and its modules make 2"),
    ],
)
def test_what_cannot_be_meant_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make_objective("subclasses", setting(), options)
