"""MACs of a training step, worked by hand."""

import torch
from torch import nn

from deltadistill.account.training_macs import TrainingMacs


def step(network, frame):
    with TrainingMacs() as counted:
        network(frame).sum().backward()
    return counted.macs


def test_a_step_is_three_passes_less_the_gradient_by_the_frame():
    first, second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 2, 1, groups=2)
    forward = 4 * 30 * (3 * 9), 2 * 30 * 2  # outputs × what each is made of
    assert (
        step(nn.Sequential(first, nn.ReLU(), second), torch.randn(1, 3, 5, 6))
        == 2 * forward[0] + 3 * forward[1]
    )


def test_what_does_not_learn_has_no_gradient_of_weights():
    first, second = nn.Conv2d(3, 4, 3, padding=1).requires_grad_(False), nn.Conv2d(4, 2, 1)
    forward = 4 * 30 * 27, 2 * 30 * 4
    # nothing before the second learns either: no gradient by its input
    assert step(nn.Sequential(first, second), torch.randn(1, 3, 5, 6)) == forward[0] + 2 * forward[1]


def test_a_transposed_convolution_and_a_linear_layer_count_by_the_same_rule():
    transposed = nn.ConvTranspose2d(2, 3, 2, stride=2)
    forward = 2 * 20 * (3 * 4)  # inputs × what each is spread over
    assert step(transposed, torch.randn(1, 2, 4, 5)) == 2 * forward
    assert step(nn.Linear(5, 7), torch.randn(4, 5)) == 2 * 4 * 5 * 7


def test_without_values_the_count_is_the_same():
    with torch.device("meta"):
        network, frame = nn.Conv2d(3, 4, 3, padding=1), torch.zeros(1, 3, 5, 6)
    assert step(network, frame) == 2 * 4 * 30 * 27
