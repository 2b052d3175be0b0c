"""Whether a vision transformer is what its three steps are, and how long its output is, seen on one frame."""

import torch
from torch import Tensor, nn

from deltadistill.forward.modes import evaluation_mode
from deltadistill.models.vit_form import VitForm

_SAME = 1e-4  # of the output's largest value: what is left is rounding


@torch.no_grad()
def require_same(network: nn.Module, form: VitForm) -> None:
    """Raise ValueError where the three steps are not what the network does, as seen on one frame.

    Networks whose weights have no values are taken at their word.
    """
    weight = next(network.parameters())
    if weight.is_meta:
        return
    draws = torch.Generator().manual_seed(0)
    frame = torch.randn(1, 3, *form.size, generator=draws).to(weight)
    with evaluation_mode(network):
        wanted, made = network(frame), form.output(form.encode(form.embed(frame)))
    if not isinstance(wanted, Tensor) or wanted.dim() != 2:
        raise ValueError(
            f"{type(network).__name__} returns {_form_of(wanted)}; expected one vector a frame, (N, outputs)"
        )
    if made.shape != wanted.shape or (made - wanted).abs().max() > _SAME * wanted.abs().max():
        raise ValueError(
            f"{type(network).__name__} does more than embed patches, run its blocks and read the output "
            "off; its tokens cannot be reduced from outside"
        )


@torch.no_grad()
def output_length(network: nn.Module, form: VitForm) -> int:
    """The length of the network's output, read off on as few tokens as there can be."""
    weight = next(network.parameters())
    with evaluation_mode(network):
        return form.output(weight.new_zeros(1, form.prefix + 1, form.width)).shape[-1]


def _form_of(output: object) -> str:
    return f"{tuple(output.shape)}" if isinstance(output, Tensor) else f"a {type(output).__name__}"
