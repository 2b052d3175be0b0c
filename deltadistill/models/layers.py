"""What the segmentation networks share: convolutions, resizing, initial weights, size checks."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


def conv(inputs: int, outputs: int, kernel: int, *, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    """Make a convolution whose output has ⌈size / stride⌉ rows and columns."""
    return nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=bias)


def conv_bn(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, bias: bool = False
) -> list[nn.Module]:
    """Make a convolution and the batch norm that follows it."""
    return [conv(inputs, outputs, kernel, stride=stride, bias=bias), nn.BatchNorm2d(outputs)]


def resize(features: Tensor, like: Tensor) -> Tensor:
    """Resize (N, C, h, w) bilinearly, corners not aligned, to the rows and columns of `like`."""
    if features.shape[-2:] == like.shape[-2:]:
        return features
    return F.interpolate(features, size=like.shape[-2:], mode="bilinear", align_corners=False)


def check_sizes(**sizes: int) -> None:
    """Raise ValueError for a size that is no whole number of at least 1; keywords are the names it shows."""
    for name, size in sizes.items():
        if not isinstance(size, int) or size < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, got {size!r}")


def initialise(module: nn.Module) -> None:
    """Draw He-normal kernels by outputs; batch norm starts as the identity, biases at PyTorch's default."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
