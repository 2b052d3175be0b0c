"""A network with its adapter, as the pipeline runs it: how pictures go in, and how outputs are read."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from deltadistill.data.frames import MEAN, STD

Decode = Callable[[Sequence[np.ndarray]], Mapping[str, np.ndarray]]
"""Outputs for one frame, each (1, …), to its "boxes" (n, 4) in pixels, "scores" (n,) and "labels" (n,)."""


class Imitation(Protocol):
    """How far outputs are from a teacher's, mean over frames; a scalar."""

    def __call__(self, output: Any, teacher_output: Any) -> Tensor:
        """Compare them."""


class Adapted(nn.Module):
    """Takes frames as the pipeline has them, normalised as ImageNet is, and runs a network that wants others.

    pictures: as an adapter says it (docs/command.md): order, scale, mean, deviation; `size`, (height, width),
        is the only one that the network takes where `fixed` is set.
    decode: reads boxes; None for a network of another task.
    imitation: how far two outputs are apart; None: as the task has it.
    """

    def __init__(
        self,
        network: nn.Module,
        pictures: Mapping[str, Any],
        *,
        fixed: bool = False,
        decode: Decode | None = None,
        imitation: Imitation | None = None,
    ):
        super().__init__()
        self.network = network
        self.image_size = tuple(pictures["size"]) if fixed else None
        self.decode, self.imitation = decode, imitation
        self._backwards = pictures.get("order", "rgb") == "bgr"
        factor, shift = _affine(pictures)
        self._factor: Tensor
        self._shift: Tensor
        self.register_buffer("_factor", factor, persistent=False)
        self.register_buffer("_shift", shift, persistent=False)

    def forward(self, frames: Tensor) -> Any:
        """The network's outputs for frames (N, 3, H, W)."""
        frames = frames.flip(1) if self._backwards else frames
        return self.network(frames * self._factor + self._shift)


def _affine(pictures: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    """Factor and shift (3, 1, 1) from ImageNet's normal form, channels in the network's order, to its own.

    x = (p/255 − m)/s is wanted as y = (k p − m′)/s′ = (255 k s/s′) x + (255 k m − m′)/s′.
    """
    known = [torch.tensor(values) for values in (MEAN, STD)]
    if pictures.get("order", "rgb") == "bgr":
        known = [values.flip(0) for values in known]
    level = 255 * pictures.get("scale", 1 / 255)
    mean = torch.tensor(pictures.get("mean", (0.0, 0.0, 0.0)))
    deviation = torch.tensor(pictures.get("deviation", (1.0, 1.0, 1.0)))
    factor, shift = level * known[1] / deviation, (level * known[0] - mean) / deviation
    return factor.view(3, 1, 1), shift.view(3, 1, 1)
