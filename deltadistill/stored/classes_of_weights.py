"""How many classes weights were trained for, from the shapes in which they differ from a network."""

from pathlib import Path

from torch import Tensor, nn

from deltadistill.models.torchvision_networks import Logits
from deltadistill.stored.weights import read_state_dict


def classes_of_weights(network: nn.Module, path: Path) -> int | None:
    """The number of classes for which the network would fit the file; None where it fits, or nothing tells.

    network: built for another number. Tensors of both that differ in their first axis alone are those of the
    last layers; their extents have to agree.
    """
    own = (network.network if type(network) is Logits else network).state_dict()
    weights = read_state_dict(path, having=next(iter(own), ""))
    differing = {
        (own[name].shape[0], weights[name].shape[0])
        for name in own
        if isinstance(weights.get(name), Tensor) and _differs_in_first(own[name], weights[name])
    }
    found = {there for _, there in differing}
    return found.pop() if len(found) == 1 else None


def _differs_in_first(own: Tensor, other: Tensor) -> bool:
    if own.dim() < 1 or own.dim() != other.dim():
        return False
    return own.shape[0] != other.shape[0] and own.shape[1:] == other.shape[1:]
