"""What lets a change into a Skip-Convolution: the norm of the change, or a filter that has learned it."""

from typing import Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SkipGate(Protocol):
    """Says where a layer's input has changed enough (`skip_rule.SkipRule`)."""

    def level(self, x: Tensor) -> Tensor:
        """What changes are compared with, (N, 1, 1, 1), from a key frame's input."""

    def opens(self, residual: Tensor, level: Tensor, layer: nn.Conv2d) -> Tensor:
        """1 where a change is let through, else 0, (N, 1, H, W), for a change (N, C, H, W)."""

    def macs(self, layer: nn.Conv2d, inputs: int, positions: int) -> int:
        """MACs of a frame: of a stream's input values and output positions."""


class NormGate:
    """m = 1 where the mean |r| over channels and the kernel's window exceeds `threshold` · mean |x_key|."""

    def __init__(self, threshold: float):
        if threshold < 0:
            raise ValueError(f"threshold {threshold} of skip convolutions must be at least 0")
        self.threshold = threshold

    def level(self, x: Tensor) -> Tensor:
        """The threshold, in units of the input."""
        return self.threshold * mean_magnitude(x)

    def opens(self, residual: Tensor, level: Tensor, layer: nn.Conv2d) -> Tensor:
        """See `SkipGate`."""
        norm = residual.abs().mean(1, keepdim=True)
        (height, width), size = (side // 2 for side in window(layer)), window(layer)
        pooled = F.avg_pool2d(norm, size, stride=1, padding=(height, width), count_include_pad=False)
        return (pooled > level).to(residual.dtype)

    def macs(self, layer: nn.Conv2d, inputs: int, positions: int) -> int:
        """1 for each input value that the norm adds up, the kernel's size for each position looked at."""
        return inputs + layer.weight[0, 0].numel() * positions


class LearnedGate(nn.Module):
    """m = 1 where W ⋆ (|r| / mean |x_key|) + b > 0, of one filter, drawn by Gumbel noise while it learns.

    It begins as the norm gate of `threshold` (but for places whose window leaves the picture, where that
    one's mean is over less): W = s / (threshold · C · k²) everywhere and b = −s, with s = `_SHARPNESS`.
    In training mode P(m = 1) = σ(logit), with the relaxed sample's gradient (blocks/gate.py, per place).
    """

    def __init__(self, channels: int, size: tuple[int, int], *, threshold: float):
        super().__init__()
        if threshold <= 0:
            raise ValueError(f"threshold {threshold} that a learned gate begins with must be above 0")
        self.see = nn.Conv2d(channels, 1, size, padding="same")
        nn.init.constant_(self.see.weight, _SHARPNESS / (threshold * self.see.weight.numel()))
        nn.init.constant_(cast(Tensor, self.see.bias), -_SHARPNESS)

    def level(self, x: Tensor) -> Tensor:
        """The mean magnitude of the key frame's input."""
        return mean_magnitude(x)

    def opens(self, residual: Tensor, level: Tensor, layer: nn.Conv2d) -> Tensor:
        """See `SkipGate`; a level of 0 (an input of nothing but zeros) lets every change through."""
        logit = self.see(residual.abs() / level.clamp(min=torch.finfo(level.dtype).tiny))
        if not self.training:
            return (logit > 0).to(residual.dtype)
        u = torch.rand_like(logit).clamp(_SMALLEST, 1 - _SMALLEST)
        relaxed = torch.sigmoid((logit + torch.log(u) - torch.log1p(-u)) / _TEMPERATURE)
        return (relaxed > 0.5).to(relaxed) + (relaxed - relaxed.detach())

    def macs(self, layer: nn.Conv2d, inputs: int, positions: int) -> int:
        """Those of its filter at each input place."""
        return inputs * self.see.weight[0, 0].numel()


_SHARPNESS, _TEMPERATURE, _SMALLEST = 4.0, 2 / 3, 1e-6


def mean_magnitude(x: Tensor) -> Tensor:
    """Mean |x| of each stream, (N, 1, 1, 1)."""
    return x.abs().mean((1, 2, 3), keepdim=True)


def window(layer: nn.Conv2d) -> tuple[int, int]:
    """The odd size of a window as large as the layer's kernel, which has a middle."""
    height, width = layer.kernel_size
    return 2 * (height // 2) + 1, 2 * (width // 2) + 1
