"""ResNet (He et al., arXiv 1512.03385) whose last stage keeps 1/16 of the size and dilates its convolutions.

Of torchvision's bottleneck blocks, under torchvision's names, without the classifier.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from deltadistill.models.layers import initialise

STRIDES, DILATIONS = (1, 2, 2, 1), (1, 1, 1, 2)  # of the stages


def build_body(layers: Sequence[int], *, width: int) -> nn.Sequential:
    """Make the body: frames (N, 3, H, W) to maps (N, 32 · width, H / 16, W / 16).

    layers: residual blocks of each of the four stages. width: channels of the stem, published: 64.
    torchvision's own leaves the first block of a dilated stage undilated; the published network does not.
    """
    stem = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
    stages = OrderedDict(conv1=stem, bn1=nn.BatchNorm2d(width), relu=nn.ReLU(inplace=True))
    stages["maxpool"] = nn.MaxPool2d(3, stride=2, padding=1)
    inputs = width
    for stage, (blocks, stride, dilation) in enumerate(zip(layers, STRIDES, DILATIONS, strict=True)):
        planes = width * 2**stage
        stages[f"layer{stage + 1}"] = _stage(inputs, planes, blocks, stride=stride, dilation=dilation)
        inputs = 4 * planes
    return nn.Sequential(stages).apply(initialise)


def _stage(inputs: int, planes: int, blocks: int, *, stride: int, dilation: int) -> nn.Sequential:
    from torchvision.models.resnet import Bottleneck

    outputs = Bottleneck.expansion * planes
    shortcut = nn.Sequential(
        nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
    )
    first = Bottleneck(inputs, planes, stride, shortcut, dilation=dilation)
    return nn.Sequential(first, *(Bottleneck(outputs, planes, dilation=dilation) for _ in range(blocks - 1)))
