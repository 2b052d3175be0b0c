"""The Inception-v3 whose features FID is measured with, for a file of its weights; nothing is downloaded.

It is TensorFlow's network of 2015, whose tensors pt_inception-2015-12-05 has under torchvision's names. Other
than there, it has 1008 classes, average poolings leave the padding out, and the last block takes a maximum.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.inception import BasicConv2d, Inception3, InceptionE

from deltadistill.stored.weights import load_weights
from deltadistill.tasks.denoiser import pictures_of

_SIDE, _CLASSES = 299, 1008
_AVERAGED = ("Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e", "Mixed_7b")


def load_inception(path: Path) -> InceptionFID:
    """The network with the weights of a file, in evaluation mode; ValueError where the file is of another."""
    network = InceptionFID()
    load_weights(network, path, strict=True)
    return network.eval()


class InceptionFID(Inception3):
    """Its last linear layer, `fc`, is given the 2048 features of each picture."""

    def __init__(self) -> None:
        super().__init__(num_classes=_CLASSES, aux_logits=False, init_weights=False)
        for name in _AVERAGED:
            block = getattr(self, name)
            block.branch_pool = _WithoutPadding(*_channels(block.branch_pool), kernel_size=1)
        self.Mixed_7c = _Maximum(2048)

    def forward(self, frames: Tensor) -> Tensor:
        """Map this project's normalised frames (N, 3, H, W) to logits (N, 1008)."""
        large = F.interpolate(pictures_of(frames), size=(_SIDE, _SIDE), mode="bilinear", align_corners=False)
        return self._forward(large)[0]


class _WithoutPadding(BasicConv2d):
    """Takes what is averaged over 3×3 places with those of the padding, and leaves these out again."""

    def forward(self, averaged: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, made, H, W)."""
        return super().forward(averaged / F.avg_pool2d(torch.ones_like(averaged[:1, :1]), 3, 1, padding=1))


class _Maximum(InceptionE):
    """Its last branch takes the largest of 3×3 places, where torchvision's averages them."""

    def _forward(self, features: Tensor) -> list[Tensor]:
        *others, _ = super()._forward(features)
        return [*others, self.branch_pool(F.max_pool2d(features, 3, 1, padding=1))]


def _channels(layer: BasicConv2d) -> tuple[int, int]:
    convolution = layer.conv
    assert isinstance(convolution, nn.Conv2d)
    return convolution.in_channels, convolution.out_channels
