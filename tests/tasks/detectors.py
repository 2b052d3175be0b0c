"""Small detectors with fixed random weights, whose batch norms have seen some frames."""

import torch

from deltadistill import models

SIZE = (128, 128)
EFFICIENTDET = {
    "image_size": [*SIZE],
    "backbone": "tinynet_e",
    "pyramid_channels": 16,
    "pyramid_repeats": 1,
    "head_repeats": 1,
    "anchor_scale": 2.0,
    "batch_norm_momentum": 0.1,
}
OPTIONS = {"efficientdet_d0": EFFICIENTDET}


def build(name, classes=3):
    """One of OPTIONS, in evaluation mode, whose scores and features are of a sensible size."""
    torch.manual_seed(0)
    network = models.build(name, classes=classes, **OPTIONS[name])
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0  # statistics of the next batch alone
    with torch.no_grad():
        network.train()(clip(4)[:, 0])
        network.class_net.predict.conv_pw.bias.fill_(-1.0)  # else no random network is sure of anything
    return network.eval()


def clip(clips=2, frames=3):
    """Smooth noise that drifts by some pixels a frame: (N, T, 3, H, W)."""
    coarse = torch.randn(clips, 3, 40, 40, generator=torch.Generator().manual_seed(3))
    wide = torch.nn.functional.interpolate(coarse, scale_factor=4, mode="bilinear")
    windows = [wide[..., 3 * t : 3 * t + SIZE[0], 5 * t : 5 * t + SIZE[1]] for t in range(frames)]
    return torch.stack(windows, 1)
