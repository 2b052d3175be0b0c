"""NaN and infinity are found wherever they are, and nothing else is taken for them."""

import pytest
import torch

from deltadistill.blocks.finite import first_not_finite

INFINITY = float("inf")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("values", [[float("nan")], [INFINITY], [-INFINITY], [INFINITY, -INFINITY]])
def test_the_first_tensor_that_is_not_finite_is_named(values, dtype):
    tensors = [torch.full((3, 5), 0.5, dtype=dtype) for _ in range(4)]
    for index in (3, 1):
        tensors[index].view(-1)[4 : 4 + len(values)] = torch.tensor(values, dtype=dtype)
        assert first_not_finite(tensors) == index


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_finite_values_whose_sum_is_none_are_finite(dtype):
    largest = torch.full((7,), torch.finfo(dtype).max, dtype=dtype)
    assert first_not_finite([largest, -largest, torch.zeros(0, 2, dtype=dtype)]) is None
    assert first_not_finite([largest, torch.tensor([INFINITY])]) == 1


def test_one_tensor_is_looked_at_like_many():
    assert first_not_finite([torch.zeros(3)]) is None
    assert first_not_finite([torch.tensor([0.0, INFINITY])]) == 0


def test_of_no_tensors_none_is_not_finite():
    """Blocks that predict features keep no state."""
    assert first_not_finite([]) is None
