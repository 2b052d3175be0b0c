"""A vision transformer as three steps, whoever built it: frames to tokens, through its blocks, to the output.

Known are timm's and torchvision's `VisionTransformer`, and image towers in the layout of CLIP and open_clip.
Their own modules do the work, and none of their code is changed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

_TIMM, _TORCHVISION = "timm.models.vision_transformer", "torchvision.models.vision_transformer"
_OF_A_TOWER = ("conv1", "class_embedding", "positional_embedding", "ln_pre", "transformer", "ln_post", "proj")

Step = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class VitForm:
    """The steps of one network: output(encode(embed(frames))) is what it says.

    embed: frames (N, C, H, W) → tokens (N, prefix + patches, D), with their positions, before the first norm.
    encode: tokens, as many as there may be, through all blocks. output: tokens → (N, outputs).
    before: what `encode` does to tokens before the first block. blocks: what it runs then, in their order.
    prefix: class tokens and the like, before patches. width: D.
    patch: (height, width) of a patch, pixels. size: of the frames that the network is for; any_size: whether
    it takes others too.
    """

    embed: Step
    encode: Step
    output: Step
    before: Step
    blocks: tuple[nn.Module, ...]
    prefix: int
    width: int
    patch: tuple[int, int]
    size: tuple[int, int]
    any_size: bool = False

    def grid(self, frames: Tensor) -> tuple[int, int]:
        """Rows and columns of patches of frames (N, C, H, W); without their shape where all have one size."""
        size = frames.shape[-2:] if self.any_size else self.size
        rows, columns = (-(-side // patch) for side, patch in zip(size, self.patch, strict=True))
        return rows, columns


def vit_form(network: nn.Module) -> VitForm:
    """The form of a network; ValueError, which says why, for one that has none."""
    if is_of(network, _TIMM, "forward_features"):
        return _of_timm(network)
    if is_of(network, _TORCHVISION, "forward"):
        return _of_torchvision(network)
    if all(hasattr(network, name) for name in _OF_A_TOWER):
        return _of_tower(network)
    raise ValueError(_reason(network))


def has_vit_form(network: nn.Module) -> bool:
    """Whether `vit_form` knows networks of this kind."""
    known = is_of(network, _TIMM, "forward_features") or is_of(network, _TORCHVISION, "forward")
    return known or all(hasattr(network, name) for name in _OF_A_TOWER)


def is_of(network: nn.Module, module: str, method: str) -> bool:
    """Whether a network's method is that of the class VisionTransformer of a module of a package."""
    function = getattr(type(network), method, None)
    name = (getattr(function, "__module__", ""), getattr(function, "__qualname__", ""))
    return name == (module, f"VisionTransformer.{method}")


def _of_timm(net: Any) -> VitForm:
    return VitForm(
        embed=lambda frames: net.patch_drop(net._pos_embed(net.patch_embed(frames))),
        encode=lambda tokens: net.blocks(net.norm_pre(tokens)),
        output=lambda tokens: net.forward_head(net.norm(tokens)),
        before=net.norm_pre,
        blocks=tuple(net.blocks),
        prefix=net.num_prefix_tokens,
        width=net.embed_dim,
        patch=tuple(net.patch_embed.patch_size),
        size=tuple(net.patch_embed.img_size),
        any_size=net.dynamic_img_size,
    )


def _of_torchvision(net: Any) -> VitForm:
    encoder = net.encoder

    def embed(frames: Tensor) -> Tensor:
        patches = net._process_input(frames)
        tokens = torch.cat([net.class_token.expand(frames.shape[0], -1, -1), patches], 1)
        return encoder.dropout(tokens + encoder.pos_embedding)

    return VitForm(
        embed=embed,
        encode=encoder.layers,
        output=lambda tokens: net.heads(encoder.ln(tokens)[:, 0]),
        before=lambda tokens: tokens,
        blocks=tuple(encoder.layers),
        prefix=1,
        width=net.hidden_dim,
        patch=(net.patch_size, net.patch_size),
        size=(net.image_size, net.image_size),
    )


def _of_tower(net: Any) -> VitForm:
    patch = tuple(net.conv1.kernel_size)
    batch_first = getattr(net.transformer, "batch_first", False)

    def embed(frames: Tensor) -> Tensor:
        patches = net.conv1(frames).flatten(2).transpose(1, 2)
        tokens = torch.cat([net.class_embedding.expand(frames.shape[0], 1, -1), patches], 1)
        return tokens + net.positional_embedding

    def encode(tokens: Tensor) -> Tensor:
        tokens = net.ln_pre(tokens)
        if batch_first:
            return net.transformer(tokens)
        return net.transformer(tokens.transpose(0, 1)).transpose(0, 1)

    return VitForm(
        embed=embed,
        encode=encode,
        output=lambda tokens: net.ln_post(tokens[:, 0]) @ net.proj,
        before=net.ln_pre,
        blocks=tuple(net.transformer.resblocks),
        prefix=1,
        width=net.conv1.out_channels,
        patch=patch,
        size=_size(net.image_size),
    )


def _size(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def _reason(network: nn.Module) -> str:
    name = type(network).__name__
    if "Swin" in name or "MaxVit" in name:
        return (
            f"{name} attends within windows of a grid, which has no gaps: its tokens cannot be dropped; its "
            "linear layers take linear students (dd.LinearStudent, where=dd.inner_layers)"
        )
    return (
        f"{name} is no vision transformer that is known here: expected timm's or torchvision's "
        "VisionTransformer, or an image tower in open_clip's layout"
    )
