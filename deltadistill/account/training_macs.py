"""MACs of what is run with its backward pass: a step of training costs more than a frame.

Convention: that of `account.operators` ("convolution") for the forward pass. Backward, a convolution or a
product counts once more for the gradient of its weight, where that learns, and once more for the gradient of
its input, where anything before it learns. So a step is three forward passes, less the first layer's gradient
by the frame. Losses, optimisers, batch norm and resizing are not counted, as in the account of a frame.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from deltadistill.account.operators import operator_macs
from deltadistill.forward.watching import OperatorWatch


class TrainingMacs(OperatorWatch):
    """Counts what is computed inside the with statement, backward passes too, on values or meta tensors.

    `macs` has the sum so far. Operators take a little longer while they are counted.
    """

    def __init__(self) -> None:
        super().__init__()
        self.macs = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        operator = str(func.overloadpacket)
        if operator == "aten.convolution_backward":
            self.macs += _convolution_backward(args)
        elif (
            output := next((t for t in tree_leaves(result) if isinstance(t, torch.Tensor)), None)
        ) is not None:
            self.macs += operator_macs(operator, args, output, "convolution") or 0
        return result


def _convolution_backward(args: tuple[Any, ...]) -> int:
    gradient, inputs, weight = args[:3]
    transposed, (of_input, of_weight, _) = args[7], args[10]
    forward = (inputs if transposed else gradient).numel() * weight[0].numel()
    return forward * (int(of_input) + int(of_weight))
