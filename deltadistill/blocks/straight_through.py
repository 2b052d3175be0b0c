"""The output of the candidate that a gate drew, with the gate's gradient (§3.2)."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from deltadistill.blocks.candidates import COMPRESSED, UNCOMPRESSED
from deltadistill.forward.half_precision import in_single_precision

Choice = str | Tensor
"""A candidate's name, or a gate's sample: a scalar, 1 for uncompressed and 0 for compressed."""


def drawn_output(run: Callable[[str], Tensor], choice: Choice) -> Tensor:
    """Return `run(candidate)` of the chosen candidate; with a gate's sample, with the gate's gradient.

    The value is that of choice · uncompressed + (1 − choice) · compressed, whose gradient to the sample is
    ⟨∂L/∂z, uncompressed − compressed⟩: both candidates run where the gate learns. The one that was not drawn
    gets no gradient of its own (it would be zero), so none is built for it.
    """
    if isinstance(choice, str):
        return run(choice)
    is_uncompressed = choice.item() > 0.5
    drawn, other = (UNCOMPRESSED, COMPRESSED) if is_uncompressed else (COMPRESSED, UNCOMPRESSED)
    output = run(drawn)
    if not (choice.requires_grad and torch.is_grad_enabled()):
        return output
    with torch.no_grad():
        difference = output - run(other) if is_uncompressed else run(other) - output
    return _WithGateGradient.apply(output, choice, difference)


class _WithGateGradient(torch.autograd.Function):
    """Hands the drawn output on as it is; backward, the sample gets ⟨∂L/∂z, difference⟩."""

    @staticmethod
    def forward(ctx: Any, output: Tensor, choice: Tensor, difference: Tensor) -> Tensor:
        ctx.save_for_backward(difference)
        ctx.choice_like = (choice.shape, choice.dtype)
        return output.view_as(output)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        (difference,) = ctx.saved_tensors
        shape, dtype = ctx.choice_like
        wide = in_single_precision(gradient)
        product = torch.dot(wide.reshape(-1), difference.to(wide.dtype).reshape(-1))
        return gradient, product.to(dtype).reshape(shape), None
