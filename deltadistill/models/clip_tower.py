"""CLIP's image tower (Radford et al., ICML 2021), with the names that open_clip's weight files have."""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from deltadistill.models.layers import check_sizes


class QuickGELU(nn.Module):
    """x · σ(1.702 x), the activation of OpenAI's weights."""

    def forward(self, x: Tensor) -> Tensor:
        """Map any tensor, place by place."""
        return x * torch.sigmoid(1.702 * x)


class ResidualAttentionBlock(nn.Module):
    """x + attention(ln_1(x)), then + mlp(ln_2(·)), on tokens (N, L, D)."""

    def __init__(self, width: int, heads: int, activation: type[nn.Module]):
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            OrderedDict(
                c_fc=nn.Linear(width, 4 * width), gelu=activation(), c_proj=nn.Linear(4 * width, width)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (N, L, D) to tokens."""
        seen = self.ln_1(x)
        x = x + self.attn(seen, seen, seen, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    """The blocks of a tower."""

    batch_first = True

    def __init__(self, width: int, layers: int, heads: int, activation: type[nn.Module]):
        super().__init__()
        self.resblocks = nn.Sequential(
            *(ResidualAttentionBlock(width, heads, activation) for _ in range(layers))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (N, L, D) to tokens."""
        return self.resblocks(x)


class ClipTower(nn.Module):
    """Frames (N, 3, image_size, image_size) to features (N, outputs), by the class token.

    Of a file of a whole CLIP model `load_weights(tower, path, part="visual")` takes the tower's weights.
    """

    def __init__(
        self,
        *,
        outputs: int,
        image_size: int,
        patch_size: int,
        width: int,
        layers: int,
        heads: int,
        quick: bool,
    ):
        super().__init__()
        self.image_size = image_size
        tokens, scale = (image_size // patch_size) ** 2 + 1, width**-0.5
        self.conv1 = nn.Conv2d(3, width, patch_size, stride=patch_size, bias=False)
        self.class_embedding = nn.Parameter(scale * torch.randn(width))
        self.positional_embedding = nn.Parameter(scale * torch.randn(tokens, width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = Transformer(width, layers, heads, QuickGELU if quick else nn.GELU)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(scale * torch.randn(width, outputs))

    def forward(self, frames: Tensor) -> Tensor:
        """Features (N, outputs); they are compared by their cosine, and are not normalised here."""
        patches = self.conv1(frames).flatten(2).transpose(1, 2)  # (N, patches, width)
        tokens = torch.cat([self.class_embedding.expand(frames.shape[0], 1, -1), patches], 1)
        tokens = self.transformer(self.ln_pre(tokens + self.positional_embedding))
        return self.ln_post(tokens[:, 0]) @ self.proj


def build(
    *,
    classes: int = 512,
    image_size: int = 224,
    patch_size: int = 16,
    width: int = 768,
    layers: int = 12,
    heads: int = 12,
    quick: bool = True,
) -> ClipTower:
    """Build a tower of ViT-B/16 by default, whose features have `classes` numbers.

    quick: whether the activation is QuickGELU, as in OpenAI's weights, or GELU, as in most of open_clip's.
    Raises ValueError for sizes that do not fit each other.
    """
    check_sizes(
        classes=classes, image_size=image_size, patch_size=patch_size, width=width, layers=layers, heads=heads
    )
    if image_size % patch_size or width % heads:
        raise ValueError(
            f"image_size {image_size} must be a multiple of patch_size {patch_size}, and width {width} of "
            f"heads {heads}"
        )
    return ClipTower(
        outputs=classes,
        image_size=image_size,
        patch_size=patch_size,
        width=width,
        layers=layers,
        heads=heads,
        quick=quick,
    )
