"""Parts of the U-Net of DDPM (Ho et al., NeurIPS 2020): time embedding, residual block, self-attention."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_LONGEST = 10_000  # longest wavelength of a time embedding, in steps / 2π
_MOST_GROUPS, _FEWEST_IN_GROUP = 32, 4


class TimeEmbedding(nn.Module):
    """Sines and cosines of a step at many wavelengths (Vaswani et al., 2017), and two linear layers."""

    def __init__(self, width: int, made: int) -> None:
        super().__init__()
        self.width = width
        self.layers = nn.Sequential(nn.Linear(width, made), nn.SiLU(), nn.Linear(made, made))
        for layer in (self.layers[0], self.layers[2]):
            start(layer)

    def forward(self, steps: Tensor) -> Tensor:
        """Map steps (N,), from 0, to (N, made)."""
        return self.layers(sinusoids(steps, self.width).to(self.layers[0].weight.dtype))


def sinusoids(steps: Tensor, width: int) -> Tensor:
    """sin and cos of steps (N,) at width / 2 wavelengths, 2π steps to 2π · 10 000; float32 (N, width)."""
    half = width // 2
    falls = math.log(_LONGEST) / max(1, half - 1)
    frequencies = torch.exp(-falls * torch.arange(half, device=steps.device, dtype=torch.float32))
    angles = steps.float()[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], 1)


class ResidualBlock(nn.Module):
    """Two convolutions, each behind group norm and swish; what step it is comes in between."""

    def __init__(self, channels: int, made: int, embedded: int, dropout: float, *, attends: bool) -> None:
        super().__init__()
        self.first = nn.Sequential(norm(channels), nn.SiLU(), nn.Conv2d(channels, made, 3, padding=1))
        self.step = nn.Sequential(nn.SiLU(), nn.Linear(embedded, made))
        self.second = nn.Sequential(
            norm(made), nn.SiLU(), nn.Dropout(dropout), nn.Conv2d(made, made, 3, padding=1)
        )
        self.shortcut = nn.Identity() if channels == made else nn.Conv2d(channels, made, 1)
        self.attention = SelfAttention(made) if attends else nn.Identity()
        for layer in (self.first[2], self.step[1], self.shortcut):
            start(layer)
        start(self.second[3], gain=0)

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        """Map (N, C, H, W) and the embedding of each one's step (N, E) to (N, made, H, W)."""
        found = self.first(features) + self.step(embedding)[:, :, None, None]
        return self.attention(self.second(found) + self.shortcut(features))


class SelfAttention(nn.Module):
    """Every place of a map attends to every other, with one head, and what it finds is added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = norm(channels)
        self.query, self.key, self.value, self.out = (nn.Conv2d(channels, channels, 1) for _ in range(4))
        for layer in (self.query, self.key, self.value):
            start(layer)
        start(self.out, gain=0)

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        normed = self.norm(features)
        asked, known, told = (
            layer(normed).flatten(2).transpose(1, 2)[:, None] for layer in (self.query, self.key, self.value)
        )  # (N, 1, H·W, C)
        found = F.scaled_dot_product_attention(asked, known, told)[:, 0].transpose(1, 2)
        return features + self.out(found.reshape(features.shape))


def norm(channels: int) -> nn.GroupNorm:
    """Group norm in 32 groups; in fewer for a narrow network, whose groups have four channels at least.

    A group of one channel would take out again what the step has added to it. channels: divisible by 4.
    """
    return nn.GroupNorm(math.gcd(_MOST_GROUPS, channels // _FEWEST_IN_GROUP), channels, eps=1e-6)


def start(layer: nn.Module, *, gain: float = 1.0) -> None:
    """Give a layer with weights those that it starts from: uniform by fan-in and fan-out, or 0; bias 0."""
    if isinstance(layer, (nn.Conv2d, nn.Linear)) and layer.bias is not None:
        nn.init.xavier_uniform_(layer.weight, gain=gain)
        nn.init.zeros_(layer.bias)
