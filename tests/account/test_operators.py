"""Every operator that is counted, with sizes that all differ: which of them enters where."""

import pytest
import torch
import torchvision
from account.functional import Functional

from deltadistill.account.macs import count_macs
from deltadistill.account.operators import BIAS_ARGUMENT, PER_ELEMENT, PRODUCTS, operator_macs


@pytest.mark.parametrize(
    ("function", "shapes", "macs", "bias"),
    [
        (torch.mm, [(2, 3), (3, 5)], 2 * 3 * 5, 0),
        (torch.bmm, [(7, 2, 3), (7, 3, 5)], 7 * 2 * 3 * 5, 0),
        (torch.mv, [(2, 3), (3,)], 2 * 3, 0),
        (torch.dot, [(3,), (3,)], 3, 0),
        (torch.addmm, [(2, 5), (2, 3), (3, 5)], 2 * 3 * 5, 2 * 5),
        (torch.addmv, [(2,), (2, 3), (3,)], 2 * 3, 2),
        (torch.baddbmm, [(7, 2, 5), (7, 2, 3), (7, 3, 5)], 7 * 2 * 3 * 5, 7 * 2 * 5),
        (torch.addbmm, [(2, 5), (7, 2, 3), (7, 3, 5)], 7 * 2 * 3 * 5, 2 * 5),
    ],
)
def test_matrix_products_and_what_they_add(function, shapes, macs, bias):
    inputs = tuple(torch.zeros(shape) for shape in shapes)
    (row,) = count_macs(Functional(function), inputs).rows
    assert row.teacher_macs == macs
    assert row.input_shape == shapes[1 if bias else 0]
    assert count_macs(Functional(function), inputs, convention="published").key == macs + bias


@pytest.mark.parametrize("operator", [name for name in PRODUCTS if "attention" in name])
def test_attention_costs_scores_of_keys_and_sums_of_values_however_wide_each_is(operator):
    query, key, value = torch.zeros(4, 2, 5, 8), torch.zeros(4, 2, 7, 8), torch.zeros(4, 2, 7, 3)
    output = torch.zeros(4, 2, 5, 3)
    macs = operator_macs(operator, (query, key, value), output, "convolution")
    assert macs == 4 * 2 * (5 * 8 * 7 + 5 * 7 * 3)


@pytest.mark.parametrize("bias", [False, True])
def test_a_deformable_convolution_costs_what_its_kernel_does_whatever_moves_it(bias):
    """Offsets and mask hold 2·3·2 and 3·2 numbers a pixel; 6 → 8 channels in 2 groups, stride (2, 1)."""

    def deformable(x, offset, weight, mask, added):
        added = added if bias else None
        return torchvision.ops.deform_conv2d(x, offset, weight, added, stride=(2, 1), mask=mask)

    offset, mask = torch.zeros(1, 12, 4, 6), torch.zeros(1, 6, 4, 6)
    inputs = torch.zeros(1, 6, 9, 7), offset, torch.zeros(8, 3, 3, 2), mask, torch.zeros(8)
    macs, pixels = 8 * 4 * 6 * (3 * 3 * 2), 8 * 4 * 6
    assert count_macs(Functional(deformable), inputs).key == macs
    # torchvision's operator always takes a bias, of zeros where none is given
    assert count_macs(Functional(deformable), inputs, convention="published").key == macs + pixels


def test_the_published_convention_prices_an_element_of_each_operator():
    """Batch norm 2, ReLU and its kin 1, by the convention's definition."""
    x, cost = torch.zeros(2, 3, 4, 5), {"batch_norm": 2, "relu": 1, "hardtanh": 1}
    for operator in PER_ELEMENT:
        (expected,) = (price for name, price in cost.items() if name in operator)
        assert operator_macs(operator, (x,), x, "published") == expected * 2 * 3 * 4 * 5
        assert operator_macs(operator, (x,), x, "convolution") is None


def test_every_operator_with_a_bias_is_a_product():
    assert set(BIAS_ARGUMENT) <= set(PRODUCTS)
