"""HRNet: branches of four resolutions side by side that exchange features (Wang et al., arXiv 1908.07919).

HRNet-W18-small for segmentation. The attribute names are those of the public checkpoints, so that their
state dicts load as they are.

    stem (conv1, conv2, layer1) ─ transition1 ─ stage2 ─ transition2 ─ stage3 ─ transition3 ─ stage4 ─ head
    branches at 1/4, 1/8, …                       2                      3                      4

A stage is a sequence of modules; each runs every branch by itself and then gives every branch the sum of all
branches, brought to its size (`fuse_layers[to][from]`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor, nn

from deltadistill.models.layers import check_sizes, conv_bn, initialise, resize

WIDTH, STEM_PLANES = 18, 64
STAGES = ((2, 1), (3, 3), (4, 2))  # branches and modules of stage2, stage3, stage4
BLOCKS = 2  # residual blocks of layer1, and of every branch of every module


class Residual(nn.Module):
    """Convolutions with batch norm beside a shortcut, itself a 1×1 convolution where channels change."""

    def __init__(self, inputs: int, shapes: Sequence[tuple[int, int]]) -> None:
        """`shapes` lists the convolutions as (output channels, kernel size)."""
        super().__init__()
        self.depth = len(shapes)
        channels = [inputs, *(outputs for outputs, _ in shapes)]
        for number, (before, (outputs, kernel)) in enumerate(zip(channels, shapes, strict=False), start=1):
            convolution, norm = conv_bn(before, outputs, kernel)
            self.add_module(f"conv{number}", convolution)
            self.add_module(f"bn{number}", norm)
        self.relu = nn.ReLU()
        changes = inputs != channels[-1]
        self.downsample = nn.Sequential(*conv_bn(inputs, channels[-1], 1)) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H, W)."""
        y = x
        for number in range(1, self.depth + 1):
            y = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(y))
            if number < self.depth:
                y = self.relu(y)
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


def _bottlenecks(inputs: int, planes: int) -> nn.Sequential:
    outputs = 4 * planes
    shapes = ((planes, 1), (planes, 3), (outputs, 1))
    return nn.Sequential(*(Residual(outputs if i else inputs, shapes) for i in range(BLOCKS)))


def _branch(channels: int) -> nn.Sequential:
    return nn.Sequential(*(Residual(channels, ((channels, 3), (channels, 3))) for _ in range(BLOCKS)))


def _bridge(source: int, target: int, channels: Sequence[int]) -> nn.Module:
    """Make what brings branch `source` to the channels of branch `target`, and down to its resolution."""
    before, after = channels[source], channels[target]
    if source == target:
        return nn.Identity()
    if source > target:  # the module resizes
        return nn.Sequential(*conv_bn(before, after, 1))
    halvings = target - source
    steps = [[*conv_bn(before, before, 3, stride=2), nn.ReLU()] for _ in range(halvings - 1)]
    return nn.Sequential(*(nn.Sequential(*step) for step in (*steps, conv_bn(before, after, 3, stride=2))))


class HighResolutionModule(nn.Module):
    """Every branch by itself, then every branch the sum of all."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(_branch(width) for width in channels)
        numbers = range(len(channels))
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_bridge(source, target, channels) for source in numbers) for target in numbers
        )
        self.relu = nn.ReLU()

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Map one (N, channels, h, w) per branch to as many of the same shapes."""
        features = [branch(x) for branch, x in zip(self.branches, features, strict=True)]
        return [
            self.relu(self._fused(bridges, features, own))
            for bridges, own in zip(self.fuse_layers, features, strict=True)
        ]

    @staticmethod
    def _fused(bridges: nn.ModuleList, features: list[Tensor], own: Tensor) -> Tensor:
        brought = (resize(bridge(x), own) for bridge, x in zip(bridges, features, strict=True))
        return reduce(torch.add, brought)


class HRNet(nn.Module):
    """Stem, three stages of two, three and four branches, and a head on all four branches.

    width: channels of the branch at 1/4; each further branch has twice the one before.
    """

    def __init__(self, *, classes: int, width: int = WIDTH, stem_planes: int = STEM_PLANES) -> None:
        super().__init__()
        check_sizes(classes=classes, width=width, stem_planes=stem_planes)
        self.conv1, self.bn1 = conv_bn(3, stem_planes, 3, stride=2)
        self.conv2, self.bn2 = conv_bn(stem_planes, stem_planes, 3, stride=2)
        self.relu = nn.ReLU()
        self.layer1 = _bottlenecks(stem_planes, stem_planes)
        channels = [width * 2**branch for branch in range(STAGES[-1][0])]
        first, second = conv_bn(4 * stem_planes, channels[0], 3), _halving(4 * stem_planes, channels[1])
        self.transition1 = nn.ModuleList([nn.Sequential(*first, nn.ReLU()), second])
        for number, (branches, modules) in enumerate(STAGES, start=2):
            if number > 2:
                self.add_module(f"transition{number - 1}", _new_branch(channels[:branches]))
            stage = (HighResolutionModule(channels[:branches]) for _ in range(modules))
            self.add_module(f"stage{number}", nn.Sequential(*stage))
        joined = sum(channels)
        self.last_layer = nn.Sequential(
            *conv_bn(joined, joined, 1, bias=True), nn.ReLU(), nn.Conv2d(joined, classes, 1)
        )
        self.parts = self._name_parts()
        self.apply(initialise)

    def _name_parts(self) -> dict[str, str]:
        """Map module names to the parts a figure distinguishes (`deltadistill.models.part_of`)."""
        parts = dict.fromkeys(("conv1", "conv2", "layer1"), "stem") | {"last_layer": "head"}
        for number, (branches, modules) in enumerate(STAGES, start=2):
            parts[f"transition{number - 1}"] = "fusion"
            for module in range(modules):
                prefix = f"stage{number}.{module}"
                parts[f"{prefix}.fuse_layers"] = "fusion"
                parts |= {f"{prefix}.branches.{b}": f"branch at 1/{4 * 2**b}" for b in range(branches)}
        return parts

    def forward(self, frame: Tensor) -> Tensor:
        """Map normalised frames (N, 3, H, W) of any size to logits (N, classes, H, W).

        The published network returns logits at 1/4 of the size and leaves resizing to its training code;
        here it belongs to the network (bilinear, corners not aligned).
        """
        x = self.relu(self.bn1(self.conv1(frame)))
        x = self.layer1(self.relu(self.bn2(self.conv2(x))))
        features = self.stage2([transition(x) for transition in self.transition1])
        features = self.stage3([*features, self.transition2[-1](features[-1])])
        features = self.stage4([*features, self.transition3[-1](features[-1])])
        joined = torch.cat([features[0], *(resize(y, features[0]) for y in features[1:])], dim=1)
        return resize(self.last_layer(joined), frame)


def _halving(inputs: int, outputs: int) -> nn.Sequential:
    """Make a new branch's beginning, inside one more Sequential, as the checkpoints name it."""
    return nn.Sequential(nn.Sequential(*conv_bn(inputs, outputs, 3, stride=2), nn.ReLU()))


def _new_branch(channels: Sequence[int]) -> nn.ModuleList:
    """Make the transition to a stage with one branch more; the branches before it go on as they are."""
    return nn.ModuleList([*(nn.Identity() for _ in channels[:-1]), _halving(*channels[-2:])])


def build_w18_small(*, classes: int, width: int = WIDTH, stem_planes: int | None = None) -> HRNet:
    """Build HRNet-W18-small with `classes` output channels; by default the published one.

    `width` scales the branches and, unless `stem_planes` is given, the stem.
    """
    check_sizes(width=width)
    scaled = max(1, round(STEM_PLANES * width / WIDTH))
    return HRNet(classes=classes, width=width, stem_planes=scaled if stem_planes is None else stem_planes)
