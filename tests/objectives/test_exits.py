"""OFA-KD by hand: the enhanced target, exits, and that it learns."""

import math

import pytest
import torch
from objectives.learning import learns_everywhere
from objectives.test_making_and_keeping import setting

from deltadistill.objectives.exits import enhanced_losses, exit_layers, logits_of_size
from deltadistill.objectives.setting import make_objective

NONE = 255


def test_the_loss_by_hand():
    """The teacher's probabilities ¾ and ¼, the exit's ½ and ½; the true class is the first, ε = 2.

    (1.75² − 1) ln 2 + 0.25² ln 2 = (2.0625 + 0.0625) ln 2.
    """
    logits, taught = torch.zeros(1, 2, 1, 1), torch.tensor([math.log(3.0), 0.0]).reshape(1, 2, 1, 1)
    losses = enhanced_losses(logits, taught, torch.tensor([[[0]]]), epsilon=2.0)
    assert losses.tolist() == pytest.approx([2.125 * math.log(2)])


def test_with_epsilon_one_it_is_the_cross_entropy_with_the_teacher():
    torch.manual_seed(0)
    logits, taught = torch.randn(1, 3, 2, 2), torch.randn(1, 3, 2, 2)
    losses = enhanced_losses(logits, taught, torch.tensor([[[0, 1], [2, 0]]]), epsilon=1.0, temperature=2.0)
    expected = -((taught / 2).softmax(1) * (logits / 2).log_softmax(1)).sum(1)
    assert losses.tolist() == pytest.approx(expected.flatten().tolist(), rel=1e-5)


def test_places_without_a_class_count_nothing():
    logits = torch.zeros(1, 2, 1, 2)
    assert len(enhanced_losses(logits, logits, torch.tensor([[[0, NONE]]]), epsilon=1.5)) == 1


def test_logits_take_the_size_of_a_map_and_an_exit_keeps_it():
    assert exit_layers(4, 3)(torch.zeros(2, 4, 5, 6)).shape == (2, 3, 5, 6)
    assert logits_of_size(torch.zeros(2, 3, 8, 8), (4, 2)).shape == (2, 3, 4, 2)
    assert logits_of_size(torch.tensor([[1.0, 2.0]]), (1, 2)).tolist() == [[[[1.0, 1.0]], [[2.0, 2.0]]]]


def test_it_learns():
    learns_everywhere("exits", {"modules": ["3"]}, per_frame_options={"modules": ["0", "2"]})


@pytest.mark.parametrize("options", [{"epsilon": 0.5}, {"temperature": 0.0}])
def test_what_cannot_be_meant_is_refused(options):
    with pytest.raises(ValueError, match=r"epsilon .* must be at least 1 and temperature .* above 0"):
        make_objective("exits", setting(), {"modules": ["3"], **options})
