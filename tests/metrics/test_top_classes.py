"""Top-1 and top-5 accuracy, with numbers worked by hand."""

import math

import pytest
import torch

from deltadistill.metrics.counters import add_up
from deltadistill.metrics.top_classes import Ranking, TopClasses
from deltadistill.processes.group import ALONE


def ranked(*classes):
    return Ranking(torch.tensor(classes), torch.linspace(0.5, 0.1, len(classes)))


def counted(*frames, classes=7):
    counts = TopClasses(classes)
    for guesses, truth in frames:
        counts.update(ranked(*guesses), truth)
    return counts


def test_shares_of_frames_right_at_once_and_among_the_guesses():
    counts = counted(((0, 1, 2, 3, 4), 0), ((0, 1, 2, 3, 4), 4), ((0, 1, 2, 3, 4), 5), ((6, 0, 1, 2, 3), 6))
    assert counts.top1() == 2 / 4
    assert counts.among() == 3 / 4
    assert counts.top1_by_class()[[0, 4, 5, 6]].tolist() == [1, 0, 0, 1]
    assert counts.top1_by_class()[[1, 2, 3]].isnan().all()


def test_the_share_is_of_frames_and_not_the_mean_of_the_classes():
    counts = counted(((0, 1), 0), ((0, 1), 0), ((0, 1), 0), ((0, 1), 1), classes=2)
    assert counts.top1() == 3 / 4
    assert counts.among() == 1  # of two classes the truth is always among two guesses


def test_frames_without_a_class_are_not_counted():
    counts = counted(((0, 1), None), ((0, 1), -1), ((1, 0), 1), classes=2)
    assert counts.counts.tolist() == [[0, 0, 0], [1, 1, 1]]


def test_nothing_counted_is_no_score():
    counts = counted(((0,), None))
    assert [counts.top1(), counts.among()] == pytest.approx([float("nan")] * 2, nan_ok=True)
    assert counts.state() is None


def test_counts_add_up_however_they_were_shared_out():
    one, other = counted(((0, 1), 0), classes=2), counted(((0, 1), 1), ((1, 0), 1), classes=2)
    together = one + other
    assert together.top1() == 2 / 3
    one.add(other.state())
    assert torch.equal(one.counts, together.counts)
    add_up([one], ALONE)
    assert one.top1() == 2 / 3


def sure(*frames):
    """(probability of the likeliest class, whether it is right) of each frame."""
    counts = TopClasses(2)
    for probability, is_right in frames:
        scores = torch.tensor([probability, 1 - probability], dtype=torch.float64)
        counts.update(Ranking(torch.tensor([0, 1]), scores), 0 if is_right else 1)
    return counts


def test_the_calibration_error_by_hand():
    """Two frames 90 % sure, one right: |1 − 1.8|; one 60 % sure and right: |1 − 0.6|; of three frames."""
    counts = sure((0.9, True), (0.9, False), (0.6, True))
    assert counts.calibration_error() == pytest.approx((0.8 + 0.4) / 3)
    assert sure((1.0, True), (1.0, True)).calibration_error() == 0
    assert math.isnan(TopClasses(2).calibration_error())


def test_confidences_add_up_to_the_last_bit_in_any_order():
    frames = [(0.5 + n / 77, n % 3 > 0) for n in range(30)]
    whole, parts = sure(*frames), [sure(*frames[n::4]) for n in range(4)]
    total = TopClasses(2)
    for part in reversed(parts):
        total.add(part.state())
    assert total.calibration_error() == whole.calibration_error()
    assert (parts[0] + parts[1]).confidences.sum() == sum(p.confidences.sum() for p in parts[:2])


@pytest.mark.parametrize(
    ("guesses", "truth", "told"),
    [
        (torch.tensor([0, 9]), 0, "no class 9; expected 0 to 6"),
        (torch.tensor([0, 1]), 7, "no class 7"),
        (torch.tensor([0.2, 0.8]), 0, "class indices"),
        (torch.zeros(0, dtype=torch.int64), 0, "class indices"),
    ],
)
def test_what_are_no_guesses_is_refused(guesses, truth, told):
    with pytest.raises(ValueError, match=told):
        TopClasses(7).update(Ranking(guesses, torch.zeros(len(guesses))), truth)


def test_counts_of_other_classes_do_not_add_up():
    with pytest.raises(ValueError, match="counts of 2 classes"):
        TopClasses(2) + TopClasses(3)
