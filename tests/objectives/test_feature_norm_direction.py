"""KD++ by hand: norms, directions, class means, and that it learns."""

import pytest
import torch
from objectives.learning import learns_everywhere
from objectives.test_making_and_keeping import setting

from deltadistill.objectives.feature_norm_direction import class_sums, norm_direction_losses, running_means
from deltadistill.objectives.frame_classes import classes_of_size
from deltadistill.objectives.setting import make_objective

NONE = 255


def test_the_loss_by_hand():
    """Means (3, 4) and (0, 2): e = (0.6, 0.8) and (0, 1).

    The feature (6, 8) of class 0 beside the teacher's (3, 4): 1 − 10 / 10 = 0. (0, 1) of class 1 beside
    (0, 4): it points right and is too short: 1 − 1 / 4. (4, −3) of class 0: at right angles, 1.
    """
    maps = torch.tensor([[[[6.0, 0.0, 4.0, 9.0]], [[8.0, 1.0, -3.0, 9.0]]]])
    taught = torch.tensor([[[[3.0, 0.0, 1.0, 9.0]], [[4.0, 4.0, 1.0, 9.0]]]])
    means, classes = torch.tensor([[3.0, 4.0], [0.0, 2.0]]), torch.tensor([[[0, 1, 0, NONE]]])
    losses = norm_direction_losses(maps, taught, means, classes)
    assert losses.tolist() == pytest.approx([0, 0.75, 1], abs=1e-6)


def test_sums_of_classes_by_hand():
    maps = torch.tensor([[[[1.0, 2.0, 5.0]], [[10.0, 20.0, 50.0]]]])
    sums = class_sums(maps, torch.tensor([[[1, 1, NONE]]]), 3)
    assert sums.tolist() == [[0, 0, 0], [3, 30, 2], [0, 0, 0]]


def test_running_means_by_hand():
    """A known class takes a tenth of the new mean, a new one all of it, and one that is not seen stays."""
    means = torch.tensor([[1.0, 1.0], [0.0, 0.0], [7.0, 7.0]])
    sums, counts = torch.tensor([[22.0, 42.0], [6.0, 9.0], [0.0, 0.0]]), torch.tensor([2.0, 3.0, 0.0])
    found = running_means(means, sums, counts, decay=0.9)
    assert found.flatten().tolist() == pytest.approx([2.0, 3.0, 2.0, 3.0, 7.0, 7.0])


def test_classes_are_those_of_the_nearest_place_and_of_whole_frames():
    maps = torch.tensor([[[0, 0, 1, NONE], [0, 0, 1, NONE]]], dtype=torch.uint8)
    assert classes_of_size(maps, (1, 2)).tolist() == [[[0, 1]]]
    assert classes_of_size(torch.tensor([3.0, float("nan"), -1.0]), (1, 2)).tolist() == [
        [[3, 3]], [[NONE, NONE]], [[NONE, NONE]],
    ]  # fmt: skip


def test_it_learns():
    learns_everywhere("feature_norm_direction", {"modules": "4"}, per_frame_options={"modules": {"2": "3"}})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"modules": "4", "decay": 1.0}, r"decay 1\.0 must be at least 0 and below 1"),
        ({"modules": "4", "classes": "crowd"}, "classes 'crowd' is unknown; allowed: labels, teacher"),
        ({"modules": []}, "has no modules to look at"),
        ({"modules": "9"}, "an objective names the module '9'"),
    ],
)
def test_what_cannot_be_meant_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make_objective("feature_norm_direction", setting(), options)
