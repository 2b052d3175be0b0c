"""Two factors of a kernel: their scales are shared, and what is dead stays harmless."""

import pytest
import torch
from torch import nn

from deltadistill.blocks.factorise import balance


def factors(first, second):
    """A student of one pixel: rows of `first` are intermediate channels, and so are columns of `second`."""
    student = nn.Sequential(nn.Linear(2, 3, bias=False), nn.Linear(3, 2, bias=False))
    for layer, weight in zip(student, (first, second), strict=True):
        layer.weight.data = torch.tensor(weight)
    return student


def test_both_factors_of_a_channel_have_the_same_norm_and_the_product_stays():
    # norms in: 5, 1, 0.1; norms out: 20, 4, 0.4, so that every channel's factors are changed by 2 and 1/2
    student = factors([[3.0, -4.0], [0.0, 1.0], [-0.1, 0.0]], [[12.0, 0.0, 0.4], [-16.0, 4.0, 0.0]])
    balance(student)
    torch.testing.assert_close(student[0].weight, torch.tensor([[6.0, -8.0], [0.0, 2.0], [-0.2, 0.0]]))
    torch.testing.assert_close(student[1].weight, torch.tensor([[6.0, 0.0, 0.2], [-8.0, 2.0, 0.0]]))


@pytest.mark.parametrize("dead", ["first", "second", "both"])
def test_a_dead_channel_is_left_as_it_is(dead):
    """Where one factor is zero, sharing scales would divide by it."""
    first, second = [[3.0, -4.0], [0.0, 1.0], [2.0, 0.0]], [[12.0, 5.0, 8.0], [-16.0, 0.0, 0.0]]
    if dead != "second":
        first[1] = [0.0, 0.0]
    if dead != "first":
        second[0][1] = 0.0
    student = factors(first, second)
    balance(student)
    assert student[0].weight[1].tolist() == first[1]
    assert student[1].weight[:, 1].tolist() == [row[1] for row in second]
    torch.testing.assert_close(student[0].weight[[0, 2]], torch.tensor([[6.0, -8.0], [4.0, 0.0]]))
    torch.testing.assert_close(student[1].weight[:, [0, 2]], torch.tensor([[6.0, 4.0], [-8.0, 0.0]]))


def test_groups_of_asymmetric_kernels_are_balanced_each_for_itself():
    student = nn.Sequential(
        nn.Conv2d(4, 6, (3, 1), groups=2, bias=False), nn.Conv2d(6, 10, (1, 5), groups=2, bias=False)
    )
    student[1].weight.data[:5] *= 100
    x = torch.randn(2, 4, 9, 11, generator=torch.Generator().manual_seed(0))
    before = student(x)
    balance(student)
    torch.testing.assert_close(student(x), before, rtol=1e-4, atol=1e-4)
    ingoing = student[0].weight.flatten(1).norm(dim=1)
    outgoing = student[1].weight.unflatten(0, (2, 5)).transpose(1, 2).flatten(2).norm(dim=2).flatten()
    torch.testing.assert_close(ingoing, outgoing, rtol=1e-4, atol=1e-6)
