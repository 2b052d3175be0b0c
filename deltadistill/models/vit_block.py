"""A block of a vision transformer in its parts, whoever built it: norms, attention, projection, MLP.

y = x + scale_1(project(attend(norm_1(x)))),  z = y + scale_2(mlp(norm_2(y)))
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Heads = tuple[Tensor, Tensor, Tensor]
"""Queries, keys and values, (N, heads, L, D / heads) each."""


@dataclass(frozen=True)
class VitBlock:
    """The parts of one block; all map tokens (N, L, D) to tokens, `heads` to queries, keys and values."""

    norm_1: Callable[[Tensor], Tensor]
    heads: Callable[[Tensor], Heads]
    project: Callable[[Tensor], Tensor]
    scale_1: Callable[[Tensor], Tensor]
    norm_2: Callable[[Tensor], Tensor]
    mlp: Callable[[Tensor], Tensor]
    scale_2: Callable[[Tensor], Tensor]

    def attend(self, normed: Tensor, bias: Tensor | None = None) -> Tensor:
        """softmax(q kᵀ / √d + bias) v, heads side by side, before the projection."""
        return joined(F.scaled_dot_product_attention(*self.heads(normed), attn_mask=bias))


def joined(heads: Tensor) -> Tensor:
    """(N, heads, L, d) as (N, L, heads · d)."""
    return heads.transpose(1, 2).flatten(2)


def vit_block(block: nn.Module) -> VitBlock:
    """The parts of a block; ValueError for one that is none of timm's `Block`, torchvision's or a tower's."""
    kind = type(block).__name__
    if kind == "Block" and type(getattr(block, "attn", None)).__name__ == "Attention":
        return _of_timm(block)
    if kind == "EncoderBlock":
        return _of_multihead(block, "self_attention", (None, None))
    if kind == "ResidualAttentionBlock" and isinstance(getattr(block, "attn", None), nn.MultiheadAttention):
        return _of_multihead(block, "attn", ("ls_1", "ls_2"))
    raise ValueError(
        f"{kind} is no block of a vision transformer that is known here: expected timm's Block with its "
        "Attention, torchvision's EncoderBlock, or the ResidualAttentionBlock of an image tower"
    )


def is_vit_block(block: nn.Module) -> bool:
    """Whether `vit_block` knows it."""
    try:
        vit_block(block)
    except ValueError:
        return False
    return True


def _of_timm(block: Any) -> VitBlock:
    attention = block.attn
    if getattr(attention, "gate", None) is not None:
        raise ValueError("its attention has a gate of its own, which reads tokens past the projection")
    return VitBlock(
        norm_1=block.norm1,
        heads=lambda normed: _of_one_layer(attention, normed),
        project=lambda attended: attention.proj(attention.norm(attended)),
        scale_1=block.ls1,
        norm_2=block.norm2,
        mlp=block.mlp,
        scale_2=block.ls2,
    )


def _of_one_layer(attention: Any, normed: Tensor) -> Heads:
    query, key, value = (
        each.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)
        for each in attention.qkv(normed).chunk(3, -1)
    )
    return attention.q_norm(query), attention.k_norm(key), value


def _of_multihead(block: Any, name: str, scales: tuple[str | None, str | None]) -> VitBlock:
    attention = getattr(block, name)
    first, second = (getattr(block, scale, None) or _same if scale else _same for scale in scales)
    return VitBlock(
        norm_1=block.ln_1,
        heads=lambda normed: _of_weights(attention, normed),
        project=attention.out_proj,
        scale_1=first,
        norm_2=block.ln_2,
        mlp=block.mlp,
        scale_2=second,
    )


def _of_weights(attention: nn.MultiheadAttention, normed: Tensor) -> Heads:
    made = F.linear(normed, attention.in_proj_weight, attention.in_proj_bias)
    query, key, value = (
        each.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2) for each in made.chunk(3, -1)
    )
    return query, key, value


def _same(x: Tensor) -> Tensor:
    return x


def received_attention(block: VitBlock, tokens: Tensor, *, prefix: int) -> Tensor:
    """How much attention each patch gets in a block, (N, patches): means over heads and queries.

    tokens: as they enter the block. Queries are the class token and the like, the `prefix` first; without
    any, all tokens.
    """
    query, key, _ = block.heads(block.norm_1(tokens))
    query = query[:, :, : prefix or None]
    scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    return torch.softmax(scores, -1).mean((1, 2))[:, prefix:]
