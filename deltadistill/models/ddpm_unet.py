"""The U-Net of DDPM (Ho et al., NeurIPS 2020, appendix B): it estimates the noise in noised pictures.

Its maps follow their strides up again: where a student samples down earlier (models.pool_earlier), what is
made at the last finest map is unfolded into the places of a picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deltadistill.models.ddpm_blocks import ResidualBlock, TimeEmbedding, norm, start

_COLOURS = 3


class Level(nn.Module):
    """Residual blocks at one size of maps, and the convolution that leads to the next size, if any."""

    def __init__(self, blocks: Sequence[ResidualBlock], sample: nn.Conv2d | None) -> None:
        super().__init__()
        self.blocks, self.sample = nn.ModuleList(blocks), sample
        if sample is not None:
            start(sample)


class DDPMUNet(nn.Module):
    """Estimates the noise in pictures (N, 3, H, W) at steps of a diffusion.

    width: channels of the finest maps; multipliers: of each level's; attention: numbers of the levels whose
    blocks attend, counted from the finest, 0. blocks: of a level on the way down, one more on the way up.
    The defaults are the published network for 32×32, 35.7 million parameters. Maps go up to the size of what
    is kept of the way down, by repetition and a convolution.
    """

    def __init__(
        self,
        width: int = 128,
        multipliers: Sequence[int] = (1, 2, 2, 2),
        attention: Sequence[int] = (1,),
        blocks: int = 2,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        _require_levels(width, multipliers, attention, blocks)
        channels = [width * multiplier for multiplier in multipliers]
        self._block = (4 * width, dropout)
        self.time = TimeEmbedding(width, 4 * width)
        self.head = nn.Conv2d(_COLOURS, width, 3, padding=1)
        start(self.head)
        self.down, kept = self._way_down(channels, attention, blocks)
        self.middle = nn.ModuleList(
            [self._residual(channels[-1], channels[-1], attends=first) for first in (True, False)]
        )
        self.up = self._way_up(channels, attention, blocks, kept)
        self.tail = nn.Sequential(norm(width), nn.SiLU(), nn.Conv2d(width, _COLOURS, 3, padding=1))
        start(self.tail[2], gain=0)
        self.unfolds = (1, 1)  # rows and columns of a picture that a place of the finest map stands for

    def forward(self, pictures: Tensor, steps: Tensor | None = None) -> Tensor:
        """Map noised pictures (N, 3, H, W), from about -1 to 1, to the noise in them, of the same shape.

        steps: of each picture, (N,), from 0; None: the first, for accounts of what a picture costs.
        """
        if steps is None:
            steps = torch.zeros(len(pictures), dtype=torch.long, device=pictures.device)
        embedding = self.time(steps)
        features = self.head(pictures)
        kept = [features]
        for level in self.down:
            for block in level.blocks:
                kept.append(features := block(features, embedding))
            if level.sample is not None:
                kept.append(features := level.sample(features))
        for block in self.middle:
            features = block(features, embedding)
        for level in self.up:
            for block in level.blocks:
                features = block(torch.cat([features, kept.pop()], 1), embedding)
            if level.sample is not None:
                features = level.sample(_enlarged(features, kept[-1]))
        return self._unfolded(self.tail(features), pictures)

    def follow_strides(self) -> None:
        """Make the last layer fit the first one's strides; its new weights repeat the old ones."""
        strides = self.head.stride
        if strides == self.unfolds:
            return
        old, self.unfolds = self.tail[2], strides
        times = strides[0] * strides[1]
        new = nn.Conv2d(old.in_channels, _COLOURS * times, 3, padding=1).to(old.weight)
        with torch.no_grad():
            for name in ("weight", "bias"):
                of_colour = getattr(old, name).unflatten(0, (_COLOURS, -1)).mean(1)
                getattr(new, name).copy_(of_colour.repeat_interleave(times, 0))
        self.tail[2] = new

    def _way_down(
        self, channels: Sequence[int], attention: Sequence[int], blocks: int
    ) -> tuple[nn.ModuleList, list[int]]:
        """The levels, and the channels of all maps that are kept for the way up."""
        levels, kept = nn.ModuleList(), [self.head.out_channels]
        for number, made in enumerate(channels):
            members = []
            for _ in range(blocks):
                members.append(self._residual(kept[-1], made, attends=number in attention))
                kept.append(made)
            last = number == len(channels) - 1
            levels.append(Level(members, None if last else nn.Conv2d(made, made, 3, 2, 1)))
            kept += [] if last else [made]
        return levels, kept

    def _way_up(
        self, channels: Sequence[int], attention: Sequence[int], blocks: int, kept: Sequence[int]
    ) -> nn.ModuleList:
        levels, present, left = nn.ModuleList(), channels[-1], list(kept)
        for number, made in reversed(list(enumerate(channels))):
            members = []
            for _ in range(blocks + 1):
                members.append(self._residual(present + left.pop(), made, attends=number in attention))
                present = made
            levels.append(Level(members, nn.Conv2d(made, made, 3, padding=1) if number else None))
        return levels

    def _residual(self, channels: int, made: int, *, attends: bool) -> ResidualBlock:
        return ResidualBlock(channels, made, *self._block, attends=attends)

    def _unfolded(self, made: Tensor, pictures: Tensor) -> Tensor:
        """Values for each place of the picture from those of each place of the finest map."""
        if self.unfolds == (1, 1):
            return made
        places = made.unflatten(1, (_COLOURS, *self.unfolds))  # (N, 3, r, c, h, w)
        whole = places.permute(0, 1, 4, 2, 5, 3).flatten(4, 5).flatten(2, 3)
        return whole[:, :, : pictures.shape[2], : pictures.shape[3]]


def _enlarged(features: Tensor, like: Tensor) -> Tensor:
    size = like.shape[-2:]
    return features if features.shape[-2:] == size else F.interpolate(features, size=size, mode="nearest")


def _require_levels(width: int, multipliers: Sequence[int], attention: Sequence[int], blocks: int) -> None:
    if width < 4 or width % 4 or blocks < 1 or not multipliers or min(multipliers) < 1:
        raise ValueError(
            f"a U-Net of width {width}, multipliers {list(multipliers)} and {blocks} blocks a level cannot "
            "be built; give a width divisible by 4, and at least one level and one block"
        )
    if wrong := [number for number in attention if not 0 <= number < len(multipliers)]:
        raise ValueError(
            f"attention names levels {wrong}; there are levels 0 to {len(multipliers) - 1}, 0 the finest"
        )
