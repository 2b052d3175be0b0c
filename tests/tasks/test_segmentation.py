"""Segmentation losses against numbers worked by hand."""

import math

import pytest
import torch

from deltadistill.tasks.segmentation import Segmentation


def logits_of(*probabilities):
    """Two-class logits (1, 2, 1, W) whose class 0 has the given probabilities."""
    p = torch.tensor(probabilities)
    return torch.stack([p.log(), (1 - p).log()])[None, :, None, :]


def test_cross_entropy_is_the_mean_over_labelled_pixels():
    labels = torch.tensor([[[0, 1, 255]]])
    loss = Segmentation(2).loss(logits_of(0.5, 0.75, 0.1), labels)
    assert loss.item() == pytest.approx((math.log(2) + math.log(4)) / 2, rel=1e-5)


def test_ohem_counts_hard_pixels_only():
    task = Segmentation(2, name="ohem", ohem_threshold=0.6, ohem_keep=0.1)
    labels = torch.zeros(1, 1, 4, dtype=torch.long)
    loss = task.loss(logits_of(0.5, 0.25, 0.9, 0.8), labels)  # 0.9 and 0.8 are easy
    assert loss.item() == pytest.approx((math.log(2) + math.log(4)) / 2, rel=1e-5)


def test_ohem_keeps_a_share_when_all_pixels_are_easy():
    task = Segmentation(2, name="ohem", ohem_threshold=0.1, ohem_keep=0.5)
    loss = task.loss(logits_of(0.5, 0.25, 0.9, 0.8), torch.zeros(1, 1, 4, dtype=torch.long))
    assert loss.item() == pytest.approx((math.log(2) + math.log(4)) / 2, rel=1e-5)


@pytest.mark.parametrize("name", ["cross_entropy", "ohem"])
def test_class_weights_weigh_classes(name):
    task = Segmentation(2, name=name, ohem_threshold=0.99, class_weights=[2.0, 0.0])
    labels = torch.tensor([[[0, 1]]])
    loss = task.loss(logits_of(0.5, 0.5), labels)
    expected = {"cross_entropy": math.log(2), "ohem": 2 * math.log(2) / 2}[name]
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_ohem_of_a_batch_without_labels_is_zero_and_has_a_gradient():
    logits = logits_of(0.5, 0.5).requires_grad_()
    Segmentation(2, name="ohem").loss(logits, torch.full((1, 1, 2), 255)).backward()
    assert not logits.grad.any()


PARTS = ((logits_of(0.5, 0.75, 0.1), torch.tensor([[[0, 1, 255]]])), (logits_of(0.9), torch.tensor([[[0]]])))


@pytest.mark.parametrize(
    "task",
    [
        Segmentation(2),
        Segmentation(2, class_weights=[1.0, 3.0]),
        Segmentation(2, name="ohem", ohem_threshold=0.6),
        Segmentation(2, name="ohem", ohem_threshold=0.1, ohem_keep=0.67),
    ],
)
def test_the_losses_of_parts_add_up_to_that_of_the_whole(task):
    whole = task.loss(*(torch.cat(parts, -1) for parts in zip(*PARTS, strict=True)))
    extent = task.extent(PARTS)
    assert sum(task.loss(*part, extent) for part in PARTS).item() == pytest.approx(whole.item(), rel=1e-6)


def test_the_extent_counts_labelled_pixels_by_their_weight_or_the_hard_ones():
    labels = [(None, part) for _, part in PARTS]  # classes 0, 1, none; 0
    assert Segmentation(2).extent(labels).weight == 3
    assert Segmentation(2, class_weights=[1.0, 3.0]).extent(labels).weight == 5
    # probabilities of the true class: 0.5, 0.25, 0.9; a share of 0.67 is two pixels
    hard = Segmentation(2, name="ohem", ohem_threshold=0.1, ohem_keep=0.67).extent(PARTS)
    assert (hard.weight, hard.threshold) == (2, 0.5)


def test_imitation_is_the_divergence_from_the_teacher():
    teacher, student = logits_of(0.5, 0.9), logits_of(0.25, 0.9)
    # 0.5 ln(0.5/0.25) + 0.5 ln(0.5/0.75) at the first pixel, 0 at the second
    expected = 0.5 * (0.5 * math.log(2) + 0.5 * math.log(2 / 3))
    assert Segmentation(2).imitation_loss(student, teacher).item() == pytest.approx(expected, rel=1e-5)


def test_the_prediction_is_the_likeliest_class():
    labels = Segmentation(2).predict(logits_of(0.9, 0.2))
    assert labels.tolist() == [[[0, 1]]]
    assert labels.dtype == torch.uint8


def test_a_wrong_number_of_class_weights_is_refused():
    with pytest.raises(ValueError, match="one per class: 3"):
        Segmentation(3, class_weights=[1.0])
