"""PELA's regularisation by hand: products of factors, the largest change, and that it learns."""

import pytest
import torch
from objectives.learning import falls, of_deltas
from torch import nn
from training.toy_trainings import small_network

import deltadistill as dd
from deltadistill.blocks.factorise import factor_product, kernel_matrices
from deltadistill.objectives.setting import Setting, make_objective
from deltadistill.objectives.weight_change import change_loss


def linear(*rows):
    layer = nn.Linear(len(rows[0]), len(rows), bias=False)
    layer.weight.data = torch.tensor(rows)
    return layer


def test_the_loss_by_hand():
    """Factors (1, 2)ᵀ and (3, 0) make 3 and 6 of the first input; the weights are 3 and 5.5: off by 0.5."""
    student, layer = nn.Sequential(linear([3.0, 0.0]), linear([1.0], [2.0])), linear([3.0, 0.0], [5.5, 0.0])
    assert change_loss(student, layer, 0.1).item() == pytest.approx((0.5 - 0.1) ** 2)


@pytest.mark.parametrize("groups", [1, 2])
def test_a_students_product_is_the_kernel_where_the_rank_is_full(groups):
    torch.manual_seed(0)
    layer = nn.Conv2d(4, 6, (3, 5), groups=groups, bias=False)
    student = dd.LinearStudent(gamma=1, rank="out", multiple=60, keep_dearer=True).build(layer)
    product = factor_product(student).double()
    assert torch.allclose(product, kernel_matrices(layer), atol=1e-5)
    assert change_loss(student, layer, 0.0).item() == pytest.approx(0, abs=1e-9)


def test_it_learns_and_a_static_network_costs_nothing_to_look_at():
    falls(of_deltas({"weight_change": {"options": {"epsilon": 0.01}}}), 2)


def test_a_network_without_linear_students_is_refused():
    with pytest.raises(ValueError, match=r"compares the factors of linear students .* Sequential has none"):
        make_objective("weight_change", Setting(small_network(), torch.zeros(1, 3, 8, 8), (8, 8)))
