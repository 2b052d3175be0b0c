"""Factors of kernels: the fast way for large matrices, shared scales, and what is dead stays harmless."""

import pytest
import torch
from torch import nn

from deltadistill.blocks import factorise
from deltadistill.blocks.factorise import balance, leading_factors


@pytest.mark.parametrize("shape", [(2, 30, 20), (2, 20, 30), (1, 24, 24)])
@pytest.mark.parametrize("kind", ["flat", "falling", "of low rank", "of zeros"])
def test_large_matrices_are_factorised_within_the_stated_bound(shape, kind, monkeypatch):
    torch.manual_seed(0)
    matrices = torch.randn(shape, dtype=torch.float64)
    if kind == "falling":
        matrices = matrices * torch.logspace(0, -9, shape[2], dtype=torch.float64)
    elif kind == "of low rank":
        matrices[:, :, 4:] = matrices[:, :, :4].sum(2, keepdim=True)
    elif kind == "of zeros":
        matrices.zero_()
    for rank in (1, 7, 20):
        left, values, right = leading_factors(matrices, rank)
        smallest = (left * values[:, None] @ right - matrices).square().sum()
        with monkeypatch.context() as patched:
            patched.setattr(factorise, "_LARGE", 8)
            left, values, right = leading_factors(matrices, rank)
        assert left.shape[2] == values.shape[1] == right.shape[1] == rank
        error = (left * values[:, None] @ right - matrices).square().sum()
        assert error <= smallest + 1e-12 * matrices.square().sum()


def test_small_matrices_are_factorised_by_plain_svd():
    matrices = torch.randn(2, 30, 20, dtype=torch.float64)
    left, values, right = torch.linalg.svd(matrices, full_matrices=False)
    ours = leading_factors(matrices, 5)
    assert torch.equal(ours[0], left[:, :, :5])
    assert torch.equal(ours[1], values[:, :5])
    assert torch.equal(ours[2], right[:, :5])


@pytest.mark.parametrize(("rows", "columns"), [(30, 20), (20, 30), (9, 40)])
def test_matrices_whose_sides_are_both_large_are_factorised_without_their_svd(rows, columns, monkeypatch):
    monkeypatch.setattr(factorise, "_LARGE", 8)
    monkeypatch.setattr(torch.linalg, "svd", None)  # one call would take half a minute
    for groups in (1, 3, 10):
        left, values, right = leading_factors(torch.randn(groups, rows, columns, dtype=torch.float64), 4)
        assert (left.shape, values.shape) == ((groups, rows, 4), (groups, 4))
        assert right.shape == (groups, 4, columns)


def test_balancing_keeps_the_product_and_gives_both_factors_one_scale():
    """Channels: a usual one, one far out of scale (its square is no float32), and two with a dead factor."""
    first, second = nn.Linear(3, 4, bias=False), nn.Linear(4, 2, bias=False)
    first.weight.data = torch.tensor([[3.0, 0, 4], [3e-24, 0, 4e-24], [0, 0, 0], [1, 2, 2]])
    second.weight.data = torch.tensor([[0.3, 3.0, 6, 0], [0.4, 4.0, 8, 0]])
    product = second.weight.double() @ first.weight.double()
    balance(nn.Sequential(first, second))
    torch.testing.assert_close(second.weight.double() @ first.weight.double(), product, atol=0, rtol=1e-5)
    norms_in, norms_out = first.weight.double().norm(dim=1), second.weight.double().norm(dim=0)
    torch.testing.assert_close(norms_in[:2], norms_out[:2], rtol=1e-5, atol=0)
    assert norms_in[2:].tolist() == [0, 3]
    assert norms_out[2:].tolist() == [10, 0]


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
