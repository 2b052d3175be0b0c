"""JITNet (Mullapudi et al., ICCV 2019): a segmentation network small enough to be trained while a video runs.

Layers, channels and strides are those that give the published FLOPs (docs/online.md has the account).
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deltadistill.models.layers import check_sizes, conv, initialise, resize

Resized = Literal["logits", "features"]
"""What is brought to the frame's size at the end. Both are the same function, as a 1×1 convolution and
bilinear resizing commute. "features" is what the published cost of inference fits; "logits" takes a quarter
of the last layer's work, and is what the published cost of training fits."""


class Block(nn.Module):
    """A residual block: 3×3 with the stride, 1×3, 3×1, each pair behind batch norm and ReLU, and a shortcut.

    The shortcut is a 1×1 convolution, or where the channels are the same every stride-th row and column.
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1):
        super().__init__()
        self.stride = stride
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = conv(inputs, outputs, 3, stride=stride)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, (1, 3), padding=(0, 1), bias=False)
        self.conv3 = nn.Conv2d(outputs, outputs, (3, 1), padding=(1, 0), bias=False)
        self.shortcut = None if inputs == outputs else conv(inputs, outputs, 1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, ⌈H / stride⌉, ⌈W / stride⌉)."""
        features = self.conv1(F.relu(self.bn1(x)))
        features = self.conv3(self.conv2(F.relu(self.bn2(features))))
        if self.shortcut is not None:
            return features + self.shortcut(x)
        return features + (x if self.stride == 1 else x[..., :: self.stride, :: self.stride])


class Head(nn.Module):
    """Two 3×3 convolutions at half the frame's size, and the classes of every pixel of it."""

    def __init__(self, inputs: int, width: int, outputs: int, classes: int, *, resized: Resized):
        super().__init__()
        self.resized = resized
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, width, 3)
        self.bn2, self.conv2 = nn.BatchNorm2d(width), conv(width, outputs, 3)
        self.bn3, self.classes = nn.BatchNorm2d(outputs), conv(outputs, classes, 1, bias=True)

    def forward(self, x: Tensor, like: Tensor) -> Tensor:
        """Map (N, inputs, h, w) to logits (N, classes, H, W) of the size of `like`."""
        features = self.conv2(F.relu(self.bn2(self.conv1(F.relu(self.bn1(x))))))
        features = F.relu(self.bn3(features))
        if self.resized == "features":
            return self.classes(resize(features, like))
        return resize(self.classes(features), like)


class JITNet(nn.Module):
    """Three blocks down to 1/32, three up to 1/2, and a head; see `build`."""

    def __init__(self, *, classes: int, width: float, skip: bool, scale: float, resized: Resized):
        super().__init__()
        low, high = _times(32, width), _times(64, width)
        top, head = _times(128, width), max(32, low)  # the head never gets narrower than published
        self.scale, self.skip = scale, skip
        self.conv1 = conv(3, max(8, _times(8, width)), 3, stride=2)
        self.bn1 = nn.BatchNorm2d(self.conv1.out_channels)
        self.conv2 = conv(self.conv1.out_channels, low, 3, stride=2)
        self.down1, self.down2 = Block(low, high, stride=2), Block(high, high, stride=2)
        self.down3 = Block(high, top, stride=2)
        beside = high if skip else 0
        self.up1 = Block(top, top)
        self.up2, self.up3 = Block(top + beside, high), Block(high + beside, head)
        self.head = Head(head, head, 32, classes, resized=resized)
        self.parts = {"conv1": "stem", "bn1": "stem", "conv2": "stem", "head": "head"}
        self.parts |= {f"down{n}": "encoder" for n in (1, 2, 3)} | {f"up{n}": "decoder" for n in (1, 2, 3)}
        self.apply(initialise)

    def forward(self, frame: Tensor) -> Tensor:
        """Map normalised frames (N, 3, H, W) of any size to logits (N, classes, H, W)."""
        seen = frame if self.scale == 1 else _scaled(frame, self.scale)
        half = self.conv1(seen)
        first = self.down1(self.conv2(F.relu(self.bn1(half))))
        second = self.down2(first)
        up = resize(self.up1(self.down3(second)), second)
        up = resize(self.up2(self._beside(up, second)), first)
        up = resize(self.up3(self._beside(up, first)), half)
        return resize(self.head(up, seen), frame)

    def _beside(self, up: Tensor, down: Tensor) -> Tensor:
        return torch.cat((up, down), 1) if self.skip else up


def build(
    *, classes: int, width: float = 1.0, skip: bool = True, scale: float = 1.0, resized: Resized = "logits"
) -> JITNet:
    """Build JITNet with `classes` output channels; published: 24 at 720×1280.

    width: times the channels; the supplement has 0.5, 1 and 2. skip: whether the decoder sees the encoder's
    maps of its size. scale: of the frames that the network sees; logits have the size of the frame given.
    resized: see `Resized`.
    Raises ValueError for options that cannot be meant.
    """
    check_sizes(classes=classes)
    for name, value in {"width": width, "scale": scale}.items():
        if not value > 0:
            raise ValueError(f"{name} must be above 0, got {value}")
    if resized not in get_args(Resized):
        raise ValueError(f"resized {resized!r} is unknown; allowed: {', '.join(get_args(Resized))}")
    return JITNet(classes=classes, width=width, skip=skip, scale=scale, resized=resized)


def _times(channels: int, width: float) -> int:
    return max(1, round(channels * width))


def _scaled(frame: Tensor, scale: float) -> Tensor:
    size = [max(1, round(length * scale)) for length in frame.shape[-2:]]
    return F.interpolate(frame, size=size, mode="bilinear", align_corners=False)
