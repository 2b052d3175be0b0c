"""Small detectors with fixed random weights, whose batch norms have seen some frames."""

from math import exp, log

import torch

from deltadistill import models
from deltadistill.forward.outputs import frame_outputs

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
FASTER_RCNN = {
    "short_side": 128,
    "long_side": 128,
    "layers": [1, 1, 1, 1],
    "width": 8,
    "features": 32,
    "box_features": 32,
    "anchor_scales": [1, 2, 4],
    "proposals": 20,
    "proposals_in_training": 40,
}
OPTIONS = {"efficientdet_d0": EFFICIENTDET, "faster_rcnn_r101": FASTER_RCNN}


def build(name, classes=3):
    """One of OPTIONS, in evaluation mode, whose scores and features are of a sensible size."""
    torch.manual_seed(0)
    network = models.build(name, classes=classes, **OPTIONS[name])
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0  # statistics of the next batch alone
    with torch.no_grad():
        frame_outputs(network.train(), clip(4)[:, 0])
    make_sure(network, -1.0)  # else no random network is sure of anything
    return network.eval()


def make_sure(network, logit):
    """Let every score of an untrained network be about the logistic function of `logit`."""
    if hasattr(network, "class_net"):
        torch.nn.init.constant_(network.class_net.predict.conv_pw.bias, logit)
        return
    bias = network.roi_heads.box_predictor.cls_score.bias
    classes = len(bias) - 1
    background = log(1 + exp(-logit) - classes)  # so that 1 / (classes + e^background) is the score
    with torch.no_grad():
        bias.copy_(torch.tensor([background, *[0.0] * classes]))


def redraw_classes(network):
    """Give the layer that predicts classes other random weights."""
    if hasattr(network, "class_net"):
        torch.nn.init.normal_(network.class_net.predict.conv_pw.weight)
    else:
        torch.nn.init.normal_(network.roi_heads.box_predictor.cls_score.weight)


def clip(clips=2, frames=3):
    """Smooth noise that drifts by some pixels a frame: (N, T, 3, H, W)."""
    coarse = torch.randn(clips, 3, 40, 40, generator=torch.Generator().manual_seed(3))
    wide = torch.nn.functional.interpolate(coarse, scale_factor=4, mode="bilinear")
    windows = [wide[..., 3 * t : 3 * t + SIZE[0], 5 * t : 5 * t + SIZE[1]] for t in range(frames)]
    return torch.stack(windows, 1)
