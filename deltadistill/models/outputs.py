"""What networks say about frames, for losses and predictions."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


def frame_outputs(network: nn.Module, frames: Tensor) -> Any:
    """What the network makes of frames (N, C, H, W): a tree of tensors with frames first.

    That is what it returns. A network that returns something else, such as detections, which are a list of
    another length for each frame, has a method `frame_outputs` for it.
    """
    run = getattr(network, "frame_outputs", network)
    return run(frames)
