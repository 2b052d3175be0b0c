"""Multiply-accumulates of one operator call, from its name and shapes alone.

MACs are multiply-accumulates: one multiplication and one addition together count 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

from torch import Tensor

Convention = Literal["convolution", "published"]
"""What counts. "convolution": convolutions and matrix products, without their bias; a product of
complex matrices counts four times. "published", as in the
published totals: those, their bias (1 per output element), batch norm (2 per element) and ReLU (1 per
element); no resizing, pooling or addition."""


def check_convention(convention: str) -> None:
    """Raise ValueError for a convention that does not exist."""
    if convention not in get_args(Convention):
        raise ValueError(f"unknown convention {convention!r}; known: {', '.join(get_args(Convention))}")


# Position of the argument that is multiplied by the weight, and of the bias, where not 0 and nowhere.
INPUT_ARGUMENT = {"aten.addmm": 1, "aten.addmv": 1, "aten.baddbmm": 1, "aten.addbmm": 1}
BIAS_ARGUMENT = {
    "aten.convolution": 2,
    "torchvision.deform_conv2d": 4,
    "aten.addmm": 0,
    "aten.addmv": 0,
    "aten.baddbmm": 0,
    "aten.addbmm": 0,
}


def _convolution(operator: str, args: Sequence[Any], output: Tensor) -> int:
    inputs, weight, transposed = args[0], args[1], args[6]
    # Each output element is the product with one kernel; transposed, each input element is spread by one.
    return (inputs if transposed else output).numel() * weight[0].numel()


def _deformable_convolution(operator: str, args: Sequence[Any], output: Tensor) -> int:
    return output.numel() * args[1][0].numel()


def _matrix_product(operator: str, args: Sequence[Any], output: Tensor) -> int:
    return output.numel() * args[INPUT_ARGUMENT.get(operator, 0)].shape[-1]


def _summed_product(operator: str, args: Sequence[Any], output: Tensor) -> int:
    return args[1].numel() * args[2].shape[-1]  # the batch is summed away in the output


def _attention(operator: str, args: Sequence[Any], output: Tensor) -> int:
    query, key, value = args[:3]  # (N, heads, L, E), (N, heads, S, E), (N, heads, S, E')
    scores = query.shape[:-1].numel() * key.shape[-2]
    return scores * (query.shape[-1] + value.shape[-1])


PRODUCTS: dict[str, Callable[[str, Sequence[Any], Tensor], int]] = {
    "aten.convolution": _convolution,
    "torchvision.deform_conv2d": _deformable_convolution,
    "aten.addbmm": _summed_product,
    **dict.fromkeys(
        ("aten.mm", "aten.bmm", "aten.mv", "aten.dot", "aten.addmm", "aten.addmv", "aten.baddbmm"),
        _matrix_product,
    ),
    **dict.fromkeys(
        (
            "aten._scaled_dot_product_flash_attention",
            "aten._scaled_dot_product_flash_attention_for_cpu",
            "aten._scaled_dot_product_efficient_attention",
            "aten._scaled_dot_product_cudnn_attention",
            "aten._scaled_dot_product_fused_attention_overrideable",
        ),
        _attention,
    ),
}

PER_ELEMENT = {
    "aten.native_batch_norm": 2,
    "aten._native_batch_norm_legit": 2,
    "aten._native_batch_norm_legit_no_training": 2,
    "aten._batch_norm_no_update": 2,
    "aten.cudnn_batch_norm": 2,
    "aten.relu": 1,
    "aten.relu_": 1,
    "aten.hardtanh": 1,  # ReLU6
    "aten.hardtanh_": 1,
}

# These reserve, rename or hand on memory. Whatever computes or moves elements is listed as uncounted.
WITHOUT_WORK = {"aten.empty", "aten.empty_like", "aten.detach", "aten._unsafe_view", "aten.lift_fresh"}


def operator_macs(operator: str, args: Sequence[Any], output: Tensor, convention: Convention) -> int | None:
    """Return the MACs of one call, or None where the convention does not count the operator.

    `operator` is the name in PyTorch's dispatcher ("aten.convolution"), `args` its positional arguments
    and `output` its first output.
    """
    if operator in PRODUCTS:
        macs = PRODUCTS[operator](operator, args, output)
        if output.is_complex():
            macs *= 4  # (a + bi)(c + di) takes four real products
        bias = BIAS_ARGUMENT.get(operator)
        if convention == "published" and bias is not None and args[bias] is not None:
            macs += output.numel()
        return macs
    if convention == "published" and operator in PER_ELEMENT:
        return PER_ELEMENT[operator] * output.numel()
    return None
