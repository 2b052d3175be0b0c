"""A segmentation network in two parts: a trunk that makes small logits, and their way to the frame's size."""

from typing import Any

from torch import Tensor, nn

from deltadistill.models import build as build_network
from deltadistill.models.layers import resize


def build(*, classes: int, of: str = "ddrnet23_slim", **options: Any) -> nn.Module:
    """Build the network with random weights.

    of: a network whose option `full_size` leaves its logits small. options: its others.
    """
    return Resized(build_network(of, classes=classes, full_size=False, **options))


class Resized(nn.Module):
    """A trunk, which may be one block of a delta network (`whole_network`), and a bilinear resize."""

    def __init__(self, trunk: nn.Module):
        super().__init__()
        self.trunk = trunk
        self.parts = {f"trunk.{name}": part for name, part in getattr(trunk, "parts", {}).items()}

    def forward(self, frames: Tensor) -> Tensor:
        """Map frames (N, 3, H, W) to logits (N, classes, H, W)."""
        return resize(self.trunk(frames), frames)
