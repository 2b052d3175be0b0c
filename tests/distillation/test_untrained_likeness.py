"""DisWOT by hand: classes, frames, the sum of both, and rank correlation."""

import pytest
import torch

from deltadistill.distillation.untrained_likeness import (
    class_likeness,
    frame_likeness,
    likeness,
    rank_correlation,
)


def test_classes_by_hand():
    """Two frames of one place: maps (3, 4) and (4, 3) of the classes, cosine 24 / 25."""
    logits = torch.tensor([[3.0, 4.0], [4.0, 3.0]])[..., None, None]
    assert class_likeness(logits).flatten().tolist() == pytest.approx([1, 0.96, 0.96, 1])


def test_frames_by_hand():
    features = torch.tensor([[2.0, 0.0], [3.0, 4.0]])[..., None, None]
    assert frame_likeness(features).flatten().tolist() == pytest.approx([1, 0.6, 0.6, 1])


def test_their_sum_by_hand():
    """Cosines of classes 0.96 and 0, of frames 0.6 and 1: −(0.96² + 0.4²) / 2."""
    logits = torch.tensor([[3.0, 4.0], [4.0, 3.0]])[..., None, None]
    taught = torch.tensor([[5.0, 0.0], [0.0, 7.0]])[..., None, None]
    features, same = torch.tensor([[2.0, 0.0], [3.0, 4.0]]), torch.tensor([[1.0, 1.0], [2.0, 2.0]])
    found = likeness(logits, taught, features[..., None, None], same[..., None, None])
    assert found == pytest.approx(-(0.96**2 + 0.4**2) / 2)
    assert likeness(taught, taught, same[..., None, None], same[..., None, None]) == 0


def test_networks_of_other_channels_and_sizes_compare():
    torch.manual_seed(0)
    own, taught = torch.rand(3, 4, 8, 8), torch.rand(3, 4, 16, 16)
    assert likeness(own, taught, torch.rand(3, 5, 2, 2), torch.rand(3, 9, 4, 4)) < 0


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((2, 3, 4, 4), (2, 5, 4, 4), (2, 3, 1, 1), (2, 3, 1, 1)), "frames and classes cannot be compared"),
        (
            ((1, 3, 4, 4), (1, 3, 4, 4), (1, 3, 1, 1), (1, 3, 1, 1)),
            "features of 1 and 1 frames tell no relations",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(shapes, message):
    with pytest.raises(ValueError, match=message):
        likeness(*(torch.zeros(shape) for shape in shapes))


def test_rank_correlation_by_hand():
    """Ranks 0 1 2 3 and 0 2 1 3: 1 − 6 · 2 / (4 · 15) = 0.8. Ties share their mean rank."""
    assert rank_correlation([1, 2, 3, 9], [10, 30, 20, 40]) == pytest.approx(0.8)
    assert rank_correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert rank_correlation([1, 1, 2], [5, 5, 7]) == pytest.approx(1)
    with pytest.raises(ValueError, match="no order to compare"):
        rank_correlation([1, 1], [1, 2])
    with pytest.raises(ValueError, match="give two or more pairs"):
        rank_correlation([1], [2])
