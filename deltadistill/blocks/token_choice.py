"""Which patches of a frame a vision transformer goes on with when the rest is dropped (ResidualViT, R)."""

from collections.abc import Callable
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from deltadistill.models.vit_block import received_attention, vit_block
from deltadistill.models.vit_form import VitForm

_SEED = 0  # of the places that are drawn


def kept_patches(patches: int, rate: float) -> int:
    """How many of the patches stay: (1 − p)·patches, rounded, and one at least."""
    return max(1, round((1 - rate) * patches))


def chosen_patches(
    choice: str, form: VitForm, rate: float, tokens: Tensor, x: Tensor, x_key: Tensor | None
) -> Tensor:
    """Indices of the patches that stay, rising, (N, kept) or (1, kept) where all frames keep the same.

    choice: a name of CHOICES. tokens: (N, prefix + patches, D), as embedded. x, x_key: the frames and their
    key frames (N, C, H, W); the latter for "motion" alone.
    """
    patches = prod(form.grid(x))
    count = kept_patches(patches, rate)
    if count == patches:
        return torch.arange(patches, device=tokens.device)[None]
    return CHOICES[choice](form, count, tokens, x, x_key)


def _uniform(form: VitForm, count: int, tokens: Tensor, x: Tensor, x_key: Tensor | None) -> Tensor:
    """Evenly along the rows, from the first patch to the last."""
    return torch.linspace(0, prod(form.grid(x)) - 1, count, device=tokens.device).long()[None]


def _random(form: VitForm, count: int, tokens: Tensor, x: Tensor, x_key: Tensor | None) -> Tensor:
    """Drawn once, from a fixed seed: the same places on every frame, so that a frame's answer is its own."""
    draws = torch.Generator().manual_seed(_SEED)
    places = torch.randperm(prod(form.grid(x)), generator=draws)[:count]
    return places.sort().values[None].to(tokens.device)


def _center(form: VitForm, count: int, tokens: Tensor, x: Tensor, x_key: Tensor | None) -> Tensor:
    """The nearest to the middle of the picture; of equally near ones the first."""
    rows, columns = (torch.arange(side) - (side - 1) / 2 for side in form.grid(x))
    distances = (rows[:, None] ** 2 + columns**2).flatten()
    return distances.argsort(stable=True)[:count].sort().values[None].to(tokens.device)


def _motion(form: VitForm, count: int, tokens: Tensor, x: Tensor, x_key: Tensor | None) -> Tensor:
    """Where pixels have changed most since the key frame."""
    assert x_key is not None  # kept where this is the choice
    changes = F.avg_pool2d((x - x_key).abs().mean(1, keepdim=True), form.patch, ceil_mode=True)
    return changes.flatten(1).topk(count).indices.sort().values


def _attention(form: VitForm, count: int, tokens: Tensor, x: Tensor, x_key: Tensor | None) -> Tensor:
    """What the class token attends to most in the first block."""
    received = received_attention(vit_block(form.blocks[0]), tokens, prefix=form.prefix)
    return received.topk(count).indices.sort().values


Choose = Callable[[VitForm, int, Tensor, Tensor, Tensor | None], Tensor]
CHOICES: dict[str, Choose] = {
    "uniform": _uniform,
    "random": _random,
    "center": _center,
    "motion": _motion,
    "attention": _attention,
}
