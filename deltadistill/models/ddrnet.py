"""DDRNet: a segmentation network of two branches that exchange features (Hong et al., arXiv 2101.06085).

One parameterised network gives DDRNet-23-slim, DDRNet-23 and DDRNet-39. The attribute names are those of
the public checkpoints, so that their state dicts load as they are.

    stem (conv1, layer1, layer2) ─┬─ layer3  ─⇄─ layer4  ─⇄─ layer5 ─ spp ─┐
                                  └─ layer3_ ─⇄─ layer4_ ─⇄─ layer5_ ──────+─ final_layer

⇄ is an exchange: the high-resolution features go down through strided convolutions (`down…`), the
low-resolution features go up through a 1×1 convolution (`compression…`) and bilinear resizing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from deltadistill.models.layers import check_sizes, conv, conv_bn, initialise, resize


def _bn_relu_conv(inputs: int, outputs: int, kernel: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(inputs), nn.ReLU(), conv(inputs, outputs, kernel)]


def _projection(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    """Return the shortcut's 1×1 convolution, or None where the identity fits."""
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(*conv_bn(inputs, outputs, 1, stride=stride))


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut; the last block of a layer leaves its sum without ReLU."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, final_relu: bool = True) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv_bn(inputs, outputs, 3, stride=stride)
        self.conv2, self.bn2 = conv_bn(outputs, outputs, 3)
        self.relu = nn.ReLU()
        self.downsample = _projection(inputs, outputs, stride)
        self.final_relu = final_relu

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, ⌈H / stride⌉, ⌈W / stride⌉)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))) + shortcut
        return self.relu(y) if self.final_relu else y


class Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 to twice the channels beside a shortcut; the sum is left without ReLU."""

    expansion = 2

    def __init__(self, inputs: int, planes: int, *, stride: int = 1) -> None:
        super().__init__()
        outputs = planes * self.expansion
        self.conv1, self.bn1 = conv_bn(inputs, planes, 1)
        self.conv2, self.bn2 = conv_bn(planes, planes, 3, stride=stride)
        self.conv3, self.bn3 = conv_bn(planes, outputs, 1)
        self.relu = nn.ReLU()
        self.downsample = _projection(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, 2 planes, ⌈H / stride⌉, ⌈W / stride⌉)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        return self.bn3(self.conv3(y)) + shortcut


class PyramidPooling(nn.Module):
    """DAPPM: average pools of growing size, each added to the scale before it and convolved (§3.3).

    The pools are padded by half their kernel, so that any map of at least 1×1 is large enough.
    """

    windows = ((5, 2), (9, 4), (17, 8))  # kernel, stride of scale1 … scale3; scale4 is the global mean

    def __init__(self, inputs: int, planes: int, outputs: int) -> None:
        super().__init__()
        pools = [nn.AvgPool2d(kernel, stride=stride, padding=kernel // 2) for kernel, stride in self.windows]
        pools.append(nn.AdaptiveAvgPool2d(1))
        self.scale0 = nn.Sequential(*_bn_relu_conv(inputs, planes, 1))
        for level, pool in enumerate(pools, start=1):
            self.add_module(f"scale{level}", nn.Sequential(pool, *_bn_relu_conv(inputs, planes, 1)))
            self.add_module(f"process{level}", nn.Sequential(*_bn_relu_conv(planes, planes, 3)))
        self.levels = len(pools)
        self.compression = nn.Sequential(*_bn_relu_conv(planes * (self.levels + 1), outputs, 1))
        self.shortcut = nn.Sequential(*_bn_relu_conv(inputs, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, h, w) to (N, outputs, h, w)."""
        scales = [self.scale0(x)]
        for level in range(1, self.levels + 1):
            pooled = resize(getattr(self, f"scale{level}")(x), x)
            scales.append(getattr(self, f"process{level}")(pooled + scales[-1]))
        return self.compression(torch.cat(scales, dim=1)) + self.shortcut(x)


class Head(nn.Module):
    """BN, ReLU, 3×3 convolution, BN, ReLU, 1×1 convolution to the classes."""

    def __init__(self, inputs: int, planes: int, classes: int) -> None:
        super().__init__()
        self.bn1, self.relu, self.conv1 = _bn_relu_conv(inputs, planes, 3)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv2 = conv(planes, classes, 1, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, h, w) to logits (N, classes, h, w)."""
        return self.conv2(self.relu(self.bn2(self.conv1(self.relu(self.bn1(x))))))


def _layer(inputs: int, outputs: int, blocks: int, *, stride: int = 1) -> nn.Sequential:
    first = BasicBlock(inputs, outputs, stride=stride, final_relu=blocks == 1)
    others = (BasicBlock(outputs, outputs, final_relu=i < blocks - 1) for i in range(1, blocks))
    return nn.Sequential(first, *others)


class DDRNet(nn.Module):
    """Two branches from one stem, exchanging features after each stage, joined by the head.

    `exchanges` lists the stages as (name, blocks of the low branch, blocks of the high branch, stride of
    the low branch); the names "3", "3_1", "4" … are those of the public checkpoints.
    """

    def __init__(
        self,
        *,
        classes: int,
        width: int,
        spp_planes: int,
        head_planes: int,
        stem_blocks: Sequence[int],
        exchanges: Sequence[tuple[str, int, int, int]],
        stem_strides: Sequence[int] = (2, 2),
        auxiliary_head: bool = False,
        full_size: bool = True,
    ) -> None:
        super().__init__()
        check_sizes(classes=classes, width=width, spp_planes=spp_planes, head_planes=head_planes)
        if len(stem_strides) != 2 or any(stride not in (1, 2) for stride in stem_strides):
            raise ValueError(f"stem_strides must be two numbers of 1 or 2, got {tuple(stem_strides)}")
        high = 2 * width
        self.conv1 = nn.Sequential(
            *conv_bn(3, width, 3, stride=stem_strides[0], bias=True),
            nn.ReLU(),
            *conv_bn(width, width, 3, stride=stem_strides[1], bias=True),
            nn.ReLU(),
        )
        self.layer1 = _layer(width, width, stem_blocks[0])
        self.layer2 = _layer(width, high, stem_blocks[1], stride=2)
        self.relu = nn.ReLU()
        self.exchanges = tuple(name for name, *_ in exchanges)
        low = self._add_exchanges(exchanges, high)
        self.layer5_ = nn.Sequential(Bottleneck(high, high))
        self.layer5 = nn.Sequential(Bottleneck(low, low, stride=2))
        joined = high * Bottleneck.expansion
        self.spp = PyramidPooling(low * Bottleneck.expansion, spp_planes, joined)
        if auxiliary_head:
            self.seghead_extra = Head(high, head_planes, classes)
        self.final_layer = Head(joined, head_planes, classes)
        self.full_size = full_size
        self.parts = self._name_parts()
        self.apply(initialise)

    def _add_exchanges(self, exchanges: Sequence[tuple[str, int, int, int]], high: int) -> int:
        """Add the stages of both branches; return the low branch's channels after the last one."""
        low = high
        halvings: list[int] = []  # channels after each halving, from the branches' common resolution down
        for name, low_blocks, high_blocks, stride in exchanges:
            inputs, low = low, low * stride
            if stride == 2:
                halvings.append(low)
            self.add_module(f"layer{name}", _layer(inputs, low, low_blocks, stride=stride))
            self.add_module(f"layer{name}_", _layer(high, high, high_blocks))
            self.add_module(f"compression{name}", nn.Sequential(*conv_bn(low, high, 1)))
            down: list[nn.Module] = []
            for before, after in zip([high, *halvings[:-1]], halvings, strict=True):
                down += [nn.ReLU()] if down else []
                down += conv_bn(before, after, 3, stride=2)
            self.add_module(f"down{name}", nn.Sequential(*down))
        return low

    def _name_parts(self) -> dict[str, str]:
        """Map module names to the parts a figure distinguishes (`deltadistill.models.part_of`)."""
        parts = dict.fromkeys(("conv1", "layer1", "layer2"), "stem")
        for name in self.exchanges:
            parts[f"layer{name}"] = "low-resolution branch"
            parts[f"layer{name}_"] = "high-resolution branch"
            parts[f"compression{name}"] = parts[f"down{name}"] = "fusion"
        parts |= {"layer5": "low-resolution branch", "layer5_": "high-resolution branch"}
        return parts | {"spp": "pyramid pooling", "final_layer": "head", "seghead_extra": "head"}

    def forward(self, frame: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Map normalised frames (N, 3, H, W) of any size to logits (N, classes, H, W).

        With an auxiliary head, training mode returns (logits, auxiliary logits), both at full size;
        evaluation mode never runs it. The published network returns logits at 1/8 of the size and leaves
        resizing to its training code; here it belongs to the network (bilinear, corners not aligned),
        unless that was made with `full_size` False.
        """
        low = high = self.layer2(self.relu(self.layer1(self.conv1(frame))))
        for name in self.exchanges:
            auxiliary = high  # in the end: what the auxiliary head sees, the features before layer4_
            low = getattr(self, f"layer{name}")(self.relu(low))
            high = getattr(self, f"layer{name}_")(self.relu(high))
            down = getattr(self, f"down{name}")(self.relu(high))
            up = getattr(self, f"compression{name}")(self.relu(low))
            low, high = low + down, high + resize(up, high)
        high = self.layer5_(self.relu(high))
        low = self.spp(self.layer5(self.relu(low)))
        logits = self._sized(self.final_layer(resize(low, high) + high), frame)
        if self.training and hasattr(self, "seghead_extra"):
            return logits, self._sized(self.seghead_extra(auxiliary), frame)
        return logits

    def _sized(self, logits: Tensor, frame: Tensor) -> Tensor:
        return resize(logits, frame) if self.full_size else logits


@dataclasses.dataclass(frozen=True)
class Published:
    """What tells the published members of the family apart."""

    width: int
    spp_planes: int
    head_planes: int
    stem_blocks: tuple[int, int]
    exchanges: tuple[tuple[str, int, int, int], ...]


SLIM_23 = Published(32, 128, 64, (2, 2), (("3", 2, 2, 2), ("4", 2, 2, 2)))
FULL_23 = Published(64, 128, 128, (2, 2), (("3", 2, 2, 2), ("4", 2, 2, 2)))
FULL_39 = Published(64, 128, 256, (3, 4), (("3_1", 3, 3, 2), ("3_2", 3, 3, 1), ("4", 3, 3, 2)))


def build(
    published: Published,
    /,
    *,
    classes: int,
    width: int | None = None,
    spp_planes: int | None = None,
    head_planes: int | None = None,
    stem_strides: Sequence[int] = (2, 2),
    auxiliary_head: bool = False,
    full_size: bool = True,
) -> DDRNet:
    """Build a member of the family with `classes` output channels; by default the published one.

    `width` scales every channel count, `spp_planes` (pyramid pooling) and `head_planes` among them unless
    they are given. `stem_strides` (2, 1) halves the downsampling, for small frames. `full_size` False leaves
    the logits at the resolution that they are made in.
    """
    width = published.width if width is None else width
    check_sizes(width=width)
    scale = width / published.width
    return DDRNet(
        classes=classes,
        width=width,
        spp_planes=max(1, round(published.spp_planes * scale)) if spp_planes is None else spp_planes,
        head_planes=max(1, round(published.head_planes * scale)) if head_planes is None else head_planes,
        stem_blocks=published.stem_blocks,
        exchanges=published.exchanges,
        stem_strides=stem_strides,
        auxiliary_head=auxiliary_head,
        full_size=full_size,
    )


build_23_slim, build_23, build_39 = (partial(build, published) for published in (SLIM_23, FULL_23, FULL_39))
