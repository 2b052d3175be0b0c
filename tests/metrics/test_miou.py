"""Mean IoU on labels that can be counted by hand."""

import math

import pytest
import torch

from deltadistill.metrics.miou import ConfusionMatrix


def test_iou_of_six_pixels_worked_by_hand():
    # class 0: hit 1, missed 1, false 1 → 1/3; class 1: hit 2, missed 1, false 1 → 2/4; class 2: absent
    target = torch.tensor([[0, 0, 1], [1, 1, 255]], dtype=torch.uint8)
    prediction = torch.tensor([[0, 1, 1], [1, 0, 2]], dtype=torch.uint8)
    matrix = ConfusionMatrix(classes=3)
    matrix.update(prediction, target)
    assert matrix.iou()[:2].tolist() == pytest.approx([1 / 3, 1 / 2])
    assert math.isnan(matrix.iou()[2])
    assert matrix.miou() == pytest.approx((1 / 3 + 1 / 2) / 2)


def test_missed_and_wrongly_claimed_pixels_both_count_where_they_differ():
    counts = [[3, 1, 0], [2, 5, 1], [0, 0, 7]]  # a row per target, a column per prediction
    pairs = [(t, p) for t in range(3) for p in range(3) for _ in range(counts[t][p])]
    target, prediction = torch.tensor(pairs).T
    matrix = ConfusionMatrix(classes=3)
    matrix.update(prediction, target)
    assert matrix.counts.tolist() == counts
    # hit / (hit + missed + false): 3/(3+1+2), 5/(5+3+1), 7/(7+0+1)
    assert matrix.iou().tolist() == pytest.approx([3 / 6, 5 / 9, 7 / 8])
    assert matrix.miou() == pytest.approx((3 / 6 + 5 / 9 + 7 / 8) / 3)


def test_a_class_that_is_only_predicted_lowers_the_mean():
    matrix = ConfusionMatrix(classes=2)
    matrix.update(torch.tensor([0, 1]), torch.tensor([0, 0]))
    assert matrix.iou().tolist() == [0.5, 0.0]
    assert matrix.miou() == 0.25


def test_matrices_of_two_halves_add_to_the_matrix_of_the_whole():
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(0, 4, (2, 8, 8), generator=generator)
    prediction = torch.randint(0, 4, (2, 8, 8), generator=generator)
    whole, first, second = (ConfusionMatrix(classes=4) for _ in range(3))
    whole.update(prediction, target)
    first.update(prediction[0], target[0])
    second.update(prediction[1], target[1])
    assert torch.equal((first + second).counts, whole.counts)
    first += second
    assert torch.equal(first.counts, whole.counts)
    assert sum([second], ConfusionMatrix(4)).miou() == second.miou()


def test_a_state_is_all_that_was_counted_and_none_where_nothing_was():
    first, second, empty = (ConfusionMatrix(classes=3) for _ in range(3))
    first.update(torch.tensor([0, 1, 1, 2]), torch.tensor([0, 0, 1, 1]))
    second.update(torch.tensor([2, 2]), torch.tensor([2, 1]))
    assert empty.state() is None
    second.add(first.state())
    assert second.counts.tolist() == [[1, 1, 0], [0, 1, 2], [0, 0, 1]]
    assert first.counts.sum() == 4  # stays


def test_nothing_counted_gives_nan():
    matrix = ConfusionMatrix(classes=2)
    matrix.update(torch.zeros(4, dtype=torch.uint8), torch.full((4,), 255, dtype=torch.uint8))
    assert math.isnan(matrix.miou())


@pytest.mark.parametrize(
    ("prediction", "target", "words"),
    [
        (torch.zeros(1, 2, 4, 4), torch.zeros(1, 4, 4).long(), "differ in shape"),
        (torch.zeros(4), torch.zeros(4).long(), "must be integers"),
        (torch.tensor([2]), torch.tensor([0]), r"prediction holds labels \[2\], expected 0 to 1"),
        (torch.tensor([1]), torch.tensor([9]), r"target holds labels \[9\]"),
    ],
)
def test_labels_that_make_no_sense_are_refused(prediction, target, words):
    with pytest.raises(ValueError, match=words):
        ConfusionMatrix(classes=2).update(prediction, target)


def test_matrices_of_different_classes_do_not_add():
    with pytest.raises(ValueError, match="cannot add"):
        ConfusionMatrix(2) + ConfusionMatrix(3)


def test_one_class_is_enough_and_none_is_too_few():
    matrix = ConfusionMatrix(classes=1)
    matrix.update(torch.zeros(3, dtype=torch.uint8), torch.zeros(3, dtype=torch.uint8))
    assert matrix.miou() == 1
    with pytest.raises(ValueError, match="classes must be at least 1, got 0"):
        ConfusionMatrix(classes=0)
