"""Pictures made into a network's frames inside the graph, so that they enter with 8 bits a value."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.runtime.picture_form import PictureForm

Run = Callable[[nn.Module, Tensor], Any]


class Prepared:
    """A way to run a network that takes pictures (N, H, W, 3) of uint8 instead of frames (N, 3, H, W)."""

    def __init__(self, pictures: PictureForm, run: Run):
        self._pictures, self._run = pictures, run

    def __call__(self, network: nn.Module, frame: Tensor) -> Any:
        """Run the network on pictures."""
        return self._run(network, as_frames(frame, self._pictures))


def as_frames(pictures: Tensor, form: PictureForm) -> Tensor:
    """Float frames (N, 3, H, W) of pictures (N, H, W, 3): (scale · picture − mean) / deviation."""
    frames = pictures.permute(0, 3, 1, 2).to(torch.float32)
    if form.order == "bgr":
        frames = frames.flip(1)
    like = {"dtype": torch.float32, "device": frames.device}
    mean, deviation = torch.tensor(form.mean, **like), torch.tensor(form.deviation, **like)
    factor, offset = form.scale / deviation, mean / deviation
    return frames * factor[:, None, None] - offset[:, None, None]
