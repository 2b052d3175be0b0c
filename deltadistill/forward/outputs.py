"""What networks say about frames, for losses and predictions."""

from __future__ import annotations

import inspect
from typing import Any

from torch import Tensor, nn


def frame_outputs(network: nn.Module, frames: Tensor) -> Any:
    """What the network makes of frames (N, C, H, W): a tree of tensors with frames first.

    That is what it returns. A network that returns something else, such as detections, which are a list of
    another length for each frame, has a method `frame_outputs` for it.
    """
    if hasattr(network, "frame_outputs"):
        return network.frame_outputs(frames)
    return called(network, frames)


def called(network: nn.Module, *inputs: Any) -> Any:
    """What the network returns; ValueError where its forward takes other arguments than `inputs`."""
    try:
        return network(*inputs)
    except TypeError as error:
        if _takes(network, inputs):
            raise
        raise ValueError(
            f"{type(network).__name__} takes other arguments than frames alone ({error}); say how it is run: "
            "run=lambda network, frames: network(frames, …)"
        ) from error


def _takes(network: nn.Module, inputs: tuple[Any, ...]) -> bool:
    try:
        inspect.signature(network.forward).bind(*inputs)
    except TypeError:
        return False
    return True


class FrameOutputs(nn.Module):
    """A network whose forward is `frame_outputs`, which does the same for every frame and can be exported."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor) -> Any:
        """Map frames (N, C, H, W) to a tree of tensors with frames first."""
        return frame_outputs(self.network, frames)
