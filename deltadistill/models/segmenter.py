"""Segmenter with the linear decoder (Strudel et al., ICCV 2021): a vision transformer that labels pixels.

Patches become tokens with a learnt position, pass through the blocks of a transformer, and each is mapped to
logits, which are resized to the picture. Two departures: no class token, which the linear decoder leaves
out of account, and no weights of ImageNet to start from.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deltadistill.models.clip_tower import Transformer
from deltadistill.models.layers import check_sizes, resize


class TokensToMap(nn.Module):
    """Tokens (N, rows · columns, D) laid out as a map (N, D, rows, columns)."""

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """Lay them out, row by row."""
        return tokens.transpose(1, 2).unflatten(2, grid)


class Segmenter(nn.Module):
    """Frames (N, 3, H, W), of sides that are multiples of the patch, to logits (N, classes, H, W).

    grid: rows and columns of patches for which there are positions; for others they are resized. The map
    that the decoder reads is what the module `features` returns.
    """

    def __init__(self, *, classes: int, patch_size: int, width: int, layers: int, heads: int, grid: int):
        super().__init__()
        self.patch_size = patch_size
        self.patches = nn.Conv2d(3, width, patch_size, stride=patch_size)
        self.positions = nn.Parameter(0.02 * torch.randn(1, width, grid, grid))
        self.transformer = Transformer(width, layers, heads, nn.GELU)
        self.norm = nn.LayerNorm(width)
        self.features = TokensToMap()
        self.decoder = nn.Conv2d(width, classes, 1)

    def forward(self, frames: Tensor) -> Tensor:
        """Logits of every pixel; ValueError for frames that patches do not fill."""
        if any(side % self.patch_size for side in frames.shape[-2:]):
            raise ValueError(
                f"frames of {tuple(frames.shape[-2:])} pixels are not filled by patches of {self.patch_size}"
                "; take sides that are multiples of it"
            )
        patches = self.patches(frames)
        rows, columns = patches.shape[-2:]
        tokens = (patches + self._positions_of((rows, columns))).flatten(2).transpose(1, 2)
        features = self.features(self.norm(self.transformer(tokens)), (rows, columns))
        return resize(self.decoder(features), frames)

    def _positions_of(self, grid: tuple[int, int]) -> Tensor:
        if tuple(self.positions.shape[-2:]) == grid:
            return self.positions
        return F.interpolate(self.positions, grid, mode="bilinear", align_corners=False)


def build(
    *,
    classes: int,
    patch_size: int = 16,
    width: int = 192,
    layers: int = 12,
    heads: int = 3,
    grid: int = 14,
) -> Segmenter:
    """Build one, of ViT-Ti/16's size by default. Raises ValueError for sizes that do not fit each other."""
    check_sizes(classes=classes, patch_size=patch_size, width=width, layers=layers, heads=heads, grid=grid)
    if width % heads:
        raise ValueError(f"width {width} must be a multiple of heads {heads}")
    return Segmenter(
        classes=classes, patch_size=patch_size, width=width, layers=layers, heads=heads, grid=grid
    )
