"""MEAL V2's discriminator by hand: its loss, the reversed gradient, and that it takes part in a training."""

import math

import pytest
import torch
from objectives.learning import of_deltas, per_frame
from training.toy_trainings import Brightness

from deltadistill.objectives.discriminator import reversed_gradient, told_apart


def test_the_loss_by_hand():
    """Answers of nothing cost ln 2; one that is sure of the right one costs ln(1 + e⁻²) in both entries."""
    nothing = torch.zeros(1, 2, 1, 1)
    right = torch.tensor([-2.0, 2.0]).reshape(1, 2, 1, 1)  # a teacher's
    assert told_apart(nothing, nothing).item() == pytest.approx(math.log(2))
    assert told_apart(-right, right).item() == pytest.approx(math.log(1 + math.exp(-2)))
    assert told_apart(right, -right).item() == pytest.approx(math.log(1 + math.exp(2)))


def test_what_flows_back_is_negated():
    values = torch.tensor([3.0], requires_grad=True)
    reversed_gradient(2 * values).backward()
    assert values.grad.item() == -2


@pytest.mark.parametrize(("trainee", "frames"), [(of_deltas, 3), (per_frame, 1)])
def test_parts_of_a_batch_add_up_and_the_discriminator_learns(trainee, frames):
    losses = []
    for at_once in (None, frames):
        training = trainee({"discriminator": {}}, at_once=at_once)
        objective = training.terms["discriminator"].objective
        before = objective.tells[0].weight.clone()
        losses.append([training.step(index, Brightness(frames)[0])["loss"] for index in range(2)])
        assert not torch.equal(objective.tells[0].weight, before)
    assert losses[0] == pytest.approx(losses[1], rel=1e-8)
