"""The converted blocks of a delta network, and the seat that they share."""

from torch import nn

from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.seat import Seat


def delta_blocks(network: nn.Module) -> dict[str, DeltaBlock]:
    """Return the converted blocks by qualified name, each once."""
    return {name: module for name, module in network.named_modules() if isinstance(module, DeltaBlock)}


def seat_of(network: nn.Module) -> Seat:
    """Return the seat that the network's blocks share; ValueError for a network without such blocks."""
    for module in network.modules():
        if isinstance(module, DeltaBlock):
            return module.seat
    raise ValueError("the network has no converted blocks; make a delta network with convert first")


def require_candidates(network: nn.Module) -> None:
    """Raise ValueError for a network whose blocks have, by their design, nothing to train or to choose."""
    blocks = delta_blocks(network).values()
    if blocks and not any(block.candidates for block in blocks):
        raise ValueError(
            "the network's blocks have no candidates by their design, so that nothing is left to train or to "
            "choose; it is ready for deploy as it is"
        )
