"""The learned gates of Skip-Convolutions: one small filter for each convolution, by its name."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from torch import Tensor, nn

from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.skip_gate import LearnedGate, window
from deltadistill.blocks.skip_rule import LearnedSkipConvolution

_DOT = "/"  # in the place of a dot, which names of modules cannot have


class SkipGates(nn.Module):
    """The gates of a network's convolutions; `blocks/skip_gate.py` has what one computes.

    layers: by name (channels of the input, height and width of the filter). threshold: of the norm gate that
    they begin as.
    """

    def __init__(self, layers: Mapping[str, Sequence[int]], *, threshold: float):
        super().__init__()
        self.gates = nn.ModuleDict(
            {
                name.replace(".", _DOT): LearnedGate(channels, (height, width), threshold=threshold)
                for name, (channels, height, width) in layers.items()
            }
        )

    def forward(self, frames: Tensor) -> Tensor:
        """The frames: gates answer nothing by themselves, and what they cost is counted with their layers."""
        return frames

    def by_layer(self) -> dict[str, LearnedGate]:
        """The gates by the names of their layers."""
        return {name.replace(_DOT, "."): cast(LearnedGate, gate) for name, gate in self.gates.items()}


def build(*, classes: int, layers: Mapping[str, Sequence[int]], threshold: float = 0.3) -> SkipGates:
    """Make the gates of `layers`; classes: their number."""
    if len(layers) != classes:
        raise ValueError(f"there are {len(layers)} layers for {classes} gates")
    return SkipGates(layers, threshold=threshold)


def described(network: nn.Module, *, threshold: float) -> dict[str, Any]:
    """Name, number and options of the gates for a network of Skip-Convolutions."""
    layers = {
        name: [cast(nn.Conv2d, block.teacher).in_channels, *window(cast(nn.Conv2d, block.teacher))]
        for name, block in delta_blocks(network).items()
    }
    return {
        "name": "skip_gates",
        "classes": len(layers),
        "options": {"layers": layers, "threshold": threshold},
    }


def learned_skips(gates: nn.Module | None) -> LearnedSkipConvolution:
    """The design of a network whose convolutions have these gates; ValueError for another network."""
    if not isinstance(gates, SkipGates):
        raise ValueError(
            f"gates is a {type(gates).__name__}; expected gates that a training of method skip_gates has made"
        )
    return LearnedSkipConvolution(gates.by_layer())
