"""Sums over tensors of 16 bits, which have too few for the sum."""

from typing import Any

import torch
from torch import Tensor


def in_single_precision(value: Any) -> Any:
    """A tensor of 16-bit floating point as float32; anything else as it is."""
    if isinstance(value, Tensor) and value.dtype in (torch.float16, torch.bfloat16):
        return value.float()
    return value
