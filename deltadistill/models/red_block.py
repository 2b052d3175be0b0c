"""Residual encoded distillation (RED) block of ReDistill (Chen et al., TMLR 2025), and where it stands."""

from __future__ import annotations

from torch import Tensor, nn


class REDBlock(nn.Module):
    """x·σ(BN(1×1 x)) + ReLU6(BN(3×3 x)): a gate, and an encoding of what coarser maps have lost.

    It learns to make a student's map like one of its teacher's, and stays in the student that is used.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.gate = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels), nn.Sigmoid())
        self.encoder = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU6(inplace=True)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        encoded = self.encoder(features)
        return features * self.gate(features) + encoded


class WithREDBlocks(nn.Module):
    """A layer with a RED block before it, after it, or both."""

    def __init__(self, layer: nn.Module, *, before: REDBlock | None, after: REDBlock | None) -> None:
        super().__init__()
        self.before, self.layer, self.after = before, layer, after

    def forward(self, features: Tensor) -> Tensor:
        """Map what the layer maps, (N, C, H, W)."""
        if self.before is not None:
            features = self.before(features)
        made = self.layer(features)
        return made if self.after is None else self.after(made)
