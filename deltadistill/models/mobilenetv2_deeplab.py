"""MobileNetV2 with DeepLab's light head (Sandler et al., CVPR 2018, §6.2), of torchvision's body.

The body ends before its last 1×1 convolution; the head has no atrous convolutions: maps and their mean over
the picture, side by side. So the supplement of online distillation has it as a student, by its FLOPs.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from deltadistill.models.layers import check_sizes, conv, conv_bn, initialise, resize

_CHANNELS, _HEAD = 320, 256


class MobileNetV2DeepLab(nn.Module):
    """See `build`."""

    def __init__(self, *, classes: int, output_stride: int):
        super().__init__()
        from torchvision.models import mobilenet_v2

        self.features = mobilenet_v2(weights=None).features[:-1]
        _dilate(self.features.modules(), output_stride)
        self.maps = nn.Sequential(*conv_bn(_CHANNELS, _HEAD, 1), nn.ReLU())
        # no batch norm, which one value per channel does not have: of one frame none could be learned
        self.mean = nn.Sequential(nn.AdaptiveAvgPool2d(1), conv(_CHANNELS, _HEAD, 1, bias=True), nn.ReLU())
        self.joined = nn.Sequential(*conv_bn(2 * _HEAD, _HEAD, 1), nn.ReLU())
        self.classes = conv(_HEAD, classes, 1, bias=True)
        self.parts = {"features": "body"} | dict.fromkeys(("maps", "mean", "joined", "classes"), "head")
        for head in (self.maps, self.mean, self.joined, self.classes):
            head.apply(initialise)

    def forward(self, frame: Tensor) -> Tensor:
        """Map normalised frames (N, 3, H, W) of any size to logits (N, classes, H, W)."""
        features = self.features(frame)
        maps = self.maps(features)
        joined = self.joined(torch.cat((maps, self.mean(features).expand_as(maps)), 1))
        return resize(self.classes(joined), frame)


def build(*, classes: int, output_stride: int = 16) -> MobileNetV2DeepLab:
    """Build the network with `classes` output channels.

    output_stride: how much smaller than the frame the features are, 8, 16 or 32; further strides become
        dilations.
    Raises ValueError for another.
    """
    check_sizes(classes=classes)
    if output_stride not in (8, 16, 32):
        raise ValueError(f"output_stride {output_stride!r} is not one of 8, 16, 32")
    return MobileNetV2DeepLab(classes=classes, output_stride=output_stride)


def _dilate(modules: Iterable[nn.Module], output_stride: int) -> None:
    """Exchange strides beyond `output_stride` for dilations of the depthwise convolutions from there on."""
    stride = dilation = 1
    for layer in modules:
        if not isinstance(layer, nn.Conv2d) or layer.kernel_size == (1, 1):
            continue
        if layer.kernel_size[0] > 1 and layer.groups > 1:
            layer.dilation = layer.padding = (dilation, dilation)
        if layer.stride == (2, 2):
            if stride < output_stride:
                stride *= 2
            else:
                layer.stride, dilation = (1, 1), 2 * dilation
