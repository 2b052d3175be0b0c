"""Factors of kernels: the fast way for large matrices, and the balance of both factors."""

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
