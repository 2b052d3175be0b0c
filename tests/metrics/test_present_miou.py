"""Mean IoU over present classes, worked by hand."""

import math

import pytest
import torch

from deltadistill.metrics.miou import ConfusionMatrix
from deltadistill.metrics.present_miou import present_miou


def counted(prediction, target, classes=4):
    matrix = ConfusionMatrix(classes)
    matrix.update(torch.tensor(prediction), torch.tensor(target))
    return matrix


def test_the_background_is_left_out_and_absent_classes_are_not_asked_for():
    matrix = counted([0, 0, 1, 1, 2, 3], [0, 0, 0, 1, 2, 2])
    # IoU: 0: 2/3, 1: 1/2, 2: 1/2; 3 is predicted and not there
    assert present_miou(matrix, background=0) == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert present_miou(matrix) == pytest.approx((2 / 3 + 1 / 2 + 1 / 2) / 3)
    assert matrix.miou() == pytest.approx((2 / 3 + 1 / 2 + 1 / 2 + 0) / 4)


def test_a_frame_of_background_alone_is_judged_by_it():
    assert present_miou(counted([0, 0, 0, 1], [0, 0, 0, 0]), background=0) == 3 / 4


def test_pixels_without_label_do_not_count_and_nothing_counted_has_no_mean():
    assert present_miou(counted([1, 2], [1, 255]), background=0) == 1
    assert math.isnan(present_miou(ConfusionMatrix(2)))
    with pytest.raises(ValueError, match="background 4 is none of 4 classes"):
        present_miou(ConfusionMatrix(4), background=4)
