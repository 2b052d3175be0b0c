"""Features imitated near objects alone, in place of every block's: the loss of FGFI (Wang et al., CVPR 2019).

The features are the maps that a detector's heads read; the network names the module that makes them,
`head_features`. A convolution that only the training knows adapts the students' maps to the teacher's.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from deltadistill.forward.outputs import frame_outputs

ADAPTATION = "feature_adaptation"  # the convolution's name in a network that is being trained


@dataclass(frozen=True)
class NearObjects:
    """What is imitated: places where an anchor's IoU with an object exceeds `threshold` of the best one's."""

    threshold: float


@contextmanager
def head_features(network: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the maps (N, C, h, w) that the heads read, map by map, in the forward pass inside.

    Raises ValueError for a network that does not say which these are.
    """
    name = getattr(network, "head_features", None)
    if name is None:
        raise ValueError(
            f"method fgfi imitates the maps that a detector's heads read, and {type(network).__name__} does "
            "not name the module that makes them (an attribute head_features); add it, or take method feature"
        )
    seen: list[Tensor] = []
    handle = network.get_submodule(name).register_forward_hook(
        lambda _module, _inputs, made: seen.extend(tree_leaves(made))
    )
    try:
        yield seen
    finally:
        handle.remove()


@torch.no_grad()
def add_adaptation(network: nn.Module, frames: Tensor) -> nn.Module:
    """Put a 3×3 convolution beside the network's modules, for all maps that the heads read; return it.

    It starts as the identity: the students' maps have the teacher's channels and start near its features.
    frames: (N, C, H, W), to see how many channels there are. Raises ValueError for maps that differ in that.
    """
    with head_features(network) as maps:
        frame_outputs(network, frames)
    channels = {features.shape[1] for features in maps}
    if len(channels) != 1:
        raise ValueError(f"method fgfi needs maps of equally many channels, got {sorted(channels)}")
    (width,) = channels
    adaptation = nn.Conv2d(width, width, 3, padding=1).to(frames)
    nn.init.dirac_(adaptation.weight)
    nn.init.zeros_(adaptation.bias)
    network.add_module(ADAPTATION, adaptation)
    return adaptation


def drop_adaptation(network: nn.Module) -> None:
    """Take the convolution away again."""
    delattr(network, ADAPTATION)


def near_objects_loss(
    maps: Sequence[Tensor], taught: Sequence[Tensor], masks: Sequence[Tensor], of: Tensor
) -> Tensor:
    """Half the squared distance of adapted maps (N, C, h, w) from the teacher's, at the places of masks.

    Masks are bool (N, h, w). Summed over channels, and divided by the number of places `of`, or by 1 where
    there are none.
    """
    squares = [
        (mask[:, None] * (own - teacher).square()).sum()
        for own, teacher, mask in zip(maps, taught, masks, strict=True)
    ]
    return torch.stack(squares).sum() / (2 * of.clamp(min=1).to(squares[0]))


def places(masks: Sequence[Tensor]) -> Tensor:
    """The number of places in masks, float64."""
    return torch.stack([mask.sum() for mask in masks]).sum().double()
