"""torchvision's LR-ASPP on MobileNetV3, a segmentation network of 21 classes, as a plain map of scores.

    deltadistill accelerate examples/segmentation.py:build street.mp4 --adapter examples/segmentation.py \
        --option weights=lraspp_mobilenet_v3_large-d234d4ea.pth -o runner/
    deltadistill run runner/ street.mp4 --adapter examples/segmentation.py -o out.mp4

The weights are torchvision's (BSD): download.pytorch.org/models/lraspp_mobilenet_v3_large-d234d4ea.pth.
Without them the network is random, which is enough to see what can be gained in time.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.segmentation import lraspp_mobilenet_v3_large

CLASSES = 21  # background, and those of Pascal VOC

# What an adapter says (docs/command.md)
pictures = {"size": (320, 448), "mean": (0.485, 0.456, 0.406), "deviation": (0.229, 0.224, 0.225)}
background = 0


def build(weights: str = "") -> nn.Module:
    """The network; weights: their file, none for random ones."""
    torch.manual_seed(0)
    network = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=CLASSES)
    if weights:
        path = Path(weights).expanduser()
        if not path.is_file():
            raise ValueError(f"{path}: no file of weights; its address is in {__file__}")
        network.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
    return Scores(network).eval()


def decode(outputs: Any) -> Mapping[str, np.ndarray]:
    """Labels at an eighth of the frame's size, made larger."""
    labels = outputs[0].argmax(0).astype(np.int32)
    return {"label_map": labels.repeat(8, 0).repeat(8, 1)}


class Scores(nn.Module):
    """The scores where the network computes them: the last resize takes time and adds nothing to labels."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.backbone, self.classifier = network.backbone, network.classifier

    def forward(self, frames: Tensor) -> Tensor:
        """Map frames (N, 3, H, W) to scores (N, 21, H/8, W/8)."""
        return self.classifier(self.backbone(frames))
