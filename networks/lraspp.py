"""An example of a network of one's own: torchvision's LR-ASPP on MobileNetV3, as a plain map of logits.

A file here makes a network of the same name for `model.name` in params.yaml: it defines
`build(*, classes, **options)`, which returns a module that maps frames (N, 3, H, W) to logits
(N, classes, H, W).
"""

from torch import Tensor, nn
from torchvision.models.segmentation import lraspp_mobilenet_v3_large


def build(*, classes: int) -> nn.Module:
    """Build the network with random weights."""
    return Logits(lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=classes))


class Logits(nn.Module):
    """Takes the logits out of the dictionary that torchvision's segmentation networks return."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor) -> Tensor:
        """Map frames (N, 3, H, W) to logits (N, classes, H, W)."""
        return self.network(frames)["out"]
