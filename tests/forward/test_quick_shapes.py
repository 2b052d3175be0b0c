"""Rules for results without values give what PyTorch's own kernels give: shape, type and layout."""

import subprocess
import sys

import pytest
import torch
from torch.utils._pytree import tree_leaves

from deltadistill.forward.quick_shapes import RULES, QuickShapes

ATEN = torch.ops.aten


def meta(*shape, dtype=torch.float32):
    return torch.empty(shape, dtype=dtype, device="meta")


def nhwc(*shape):
    return meta(*shape).to(memory_format=torch.channels_last)


def convolution(x, weight, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1, transposed=False):
    return ATEN.convolution.default, (x, weight, None, stride, padding, dilation, transposed, (0, 0), groups)


MAP, ROW = meta(2, 8, 5, 6), meta(8)
CALLS = {
    "a convolution": convolution(MAP, meta(4, 8, 3, 3), (2, 1), (1, 0), (1, 2)),
    "one in groups": convolution(MAP, meta(8, 2, 3, 3), padding=(1, 1), groups=4),
    "one of a point": convolution(MAP, meta(4, 8, 1, 1), (2, 2)),
    "one of depth 1": convolution(meta(1, 1, 9, 9), meta(1, 1, 2, 2)),
    "one along an axis": (
        ATEN.convolution.default,
        (meta(2, 8, 9), meta(4, 8, 3), ROW[:4], [2], [1], [1], False, [0], 1),
    ),
    "a transposed one": convolution(MAP, meta(8, 4, 2, 2), (2, 2), transposed=True),
    "one of channels last": convolution(nhwc(2, 8, 5, 6), meta(4, 8, 3, 3)),
    "a batch norm": (ATEN.native_batch_norm.default, (MAP, ROW, ROW, ROW, ROW, False, 0.1, 1e-5)),
    "one in training": (ATEN.native_batch_norm.default, (MAP, ROW, ROW, ROW, ROW, True, 0.1, 1e-5)),
    "a layer norm": (ATEN.native_layer_norm.default, (meta(2, 7, 8), [8], ROW, ROW, 1e-5)),
    "one over two axes": (ATEN.native_layer_norm.default, (meta(2, 7, 8), [7, 8], None, None, 1e-5)),
    "a resize": (ATEN.upsample_bilinear2d.default, (MAP, [10, 7], False, None, None)),
    "one of channels last, resized": (ATEN.upsample_bilinear2d.default, (nhwc(2, 8, 5, 6), [10, 7], True)),
    "one channel": (ATEN.upsample_bilinear2d.default, (meta(2, 1, 5, 6), [10, 7], False)),
    "a product": (ATEN.mm.default, (meta(3, 4), meta(5, 4).t())),
    "products": (ATEN.bmm.default, (meta(2, 3, 4).transpose(1, 2), meta(2, 3, 5))),
    "a product and a bias": (ATEN.addmm.default, (meta(5), meta(3, 4), meta(5, 4).t())),
    "a product and a matrix": (ATEN.addmm.default, (meta(3, 5), meta(3, 4), meta(4, 5))),
    "a mean": (ATEN.mean.dim, (MAP, [-1, -2], True)),
    "a mean that drops axes": (ATEN.mean.dim, (MAP, [2, 3])),
    "a mean of all": (ATEN.mean.dim, (MAP, [])),
    "a sum over axes": (ATEN.sum.dim_IntList, (MAP, [1], True)),
    "parts side by side": (ATEN.cat.default, ([MAP, meta(2, 3, 5, 6)], -3)),
    "rows one after the other": (ATEN.cat.default, ([meta(2, 3), meta(1, 3)],)),
    "parts beside nothing": (ATEN.cat.default, ([meta(0), meta(2, 3)], 1)),
    "parts of channels last": (ATEN.cat.default, ([nhwc(2, 8, 5, 6), nhwc(2, 3, 5, 6)], 1)),
    "parts stacked": (ATEN.stack.default, ([MAP, MAP], -1)),
    "numbers stacked": (ATEN.stack.default, ([meta(), meta()],)),
    "a softmax": (ATEN._softmax.default, (meta(2, 3), -1, False)),
    "a safe softmax": (ATEN._safe_softmax.default, (meta(2, 3), -1)),
    "a sum": (ATEN.add.Tensor, (MAP, meta(2, 8, 5, 6))),
    "a difference to what is turned": (
        ATEN.sub.Tensor,
        (meta(4, 4, 3, 3), meta(4, 3, 3, 4).permute(0, 3, 1, 2)),
    ),
    "a difference of what is turned": (
        ATEN.sub.Tensor,
        (meta(4, 3, 3, 4).permute(0, 3, 1, 2), meta(4, 4, 3, 3)),
    ),
    "a sum with what is turned": (ATEN.add.Tensor, (MAP, meta(6, 5).t())),
    "a sum with a row": (ATEN.add.Tensor, (MAP, meta(6))),
    "a product with one value per channel": (ATEN.mul.Tensor, (meta(2, 8, 1, 1), MAP)),
    "a quotient with a number in a tensor": (ATEN.div.Tensor, (MAP, meta())),
    "a sum of types": (ATEN.add.Tensor, (MAP, meta(2, 8, 5, 6, dtype=torch.float64))),
    "a product with a number": (ATEN.mul.Tensor, (MAP, 2)),
    "a product with a scalar": (ATEN.mul.Scalar, (MAP, 2.5)),
    "a sum of channels last": (ATEN.add.Tensor, (nhwc(2, 8, 5, 6), nhwc(2, 8, 5, 6))),
    "a sum of whole numbers": (ATEN.add.Tensor, (meta(3, dtype=torch.int64), 2.5)),
    "a difference": (ATEN.sub.Tensor, (MAP, MAP)),
    "what is cut out": (ATEN.relu.default, (MAP[:, ::2],)),
    **{
        str(operator): (operator, (meta(2, 3),))
        for operator, rule in RULES.items()
        if rule.__name__ in ("_as_input", "_in_place") and "softmax" not in str(operator)
    },
}


def form(result):
    tensors = [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
    return [(tuple(t.shape), t.dtype, t.stride(), t.device.type) for t in tensors]


@pytest.mark.parametrize("name", CALLS)
def test_results_have_the_form_that_pytorch_gives_them(name):
    operator, args = CALLS[name]
    expected = form(operator(*args))
    with QuickShapes():
        assert form(operator(*args)) == expected


def test_most_of_these_calls_are_answered_by_a_rule():
    answered = {
        name for name, (operator, args) in CALLS.items() if RULES[operator](*args) is not NotImplemented
    }
    assert len(answered) > 0.8 * len(CALLS)


def test_what_does_not_fit_together_is_refused_as_by_pytorch():
    for operator, args in (
        convolution(meta(2, 7, 5, 6), meta(4, 8, 3, 3)),
        convolution(meta(2, 8, 2, 2), meta(4, 8, 3, 3)),
        (ATEN.mm.default, (meta(3, 4), meta(5, 4))),
        (ATEN.add.Tensor, (meta(3), meta(4))),
        (ATEN.cat.default, ([meta(2, 3), meta(2, 4)],)),
        (ATEN.stack.default, ([meta(2, 3), meta(2, 4)],)),
    ):
        with QuickShapes(), pytest.raises(RuntimeError):
            operator(*args)


def test_what_works_in_place_returns_what_it_got():
    x = meta(2, 3)
    with QuickShapes():
        assert ATEN.silu_.default(x) is x


def test_values_are_computed_where_there_are_any():
    with QuickShapes():
        assert torch.relu(torch.tensor([-1.0, 2.0])).tolist() == [0.0, 2.0]


def test_counting_a_network_imports_no_compiler():
    code = (
        "import sys, torch, deltadistill as dd\n"
        "network = torch.nn.Sequential(\n"
        "    torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.Upsample(\n"
        "        scale_factor=2, mode='bilinear'), torch.nn.Conv2d(4, 2, 1))\n"
        "assert dd.count_macs(network, (3, 16, 16)).teacher\n"
        "sys.exit('torch._dynamo' in sys.modules or 'sympy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
