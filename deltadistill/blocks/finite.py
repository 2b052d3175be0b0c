"""Where NaN or infinity is among many tensors, at the price of one sum each."""

from collections.abc import Sequence

import torch
from torch import Tensor


def first_not_finite(tensors: Sequence[Tensor]) -> int | None:
    """Return the index of the first tensor that holds NaN or infinity; None where all are finite.

    One such value makes a sum so, too, and a sum is read as fast as memory allows. Sums of finite values may
    overflow, so that only tensors whose sum is not finite are looked at one by one.
    """
    if not tensors:
        return None
    sums = [tensor.sum(dtype=torch.promote_types(tensor.dtype, torch.float32)) for tensor in tensors]
    finite = torch.stack([total.isfinite().to(sums[0].device) for total in sums])
    suspects = (~finite).nonzero().flatten().tolist()  # waits for the device once
    return next((index for index in suspects if not tensors[index].isfinite().all()), None)
