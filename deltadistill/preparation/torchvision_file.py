"""Weights of torchvision's segmentation networks, as their state dict was saved."""

from pathlib import Path

from torch import nn

from deltadistill.stored.network_file import load_weights_into
from deltadistill.stored.weights import read_state_dict

# Where the number of classes shows: the bias of the last convolution.
_LAST_BIAS = {
    "fcn_resnet50": "classifier.4.bias",
    "fcn_resnet101": "classifier.4.bias",
    "deeplabv3_resnet50": "classifier.4.bias",
    "deeplabv3_resnet101": "classifier.4.bias",
    "deeplabv3_mobilenet_v3_large": "classifier.4.bias",
    "lraspp_mobilenet_v3_large": "classifier.low_classifier.bias",
}


def load_torchvision(path: Path, architecture: str) -> nn.Module:
    """Build the network `architecture` with the weights of a file, for as many classes as these have.

    An auxiliary classifier in the file is left out: it only helps training. No code of the file is executed.
    Raises ValueError, which names the file, where it is not one of tensors or does not fit.
    """
    from torchvision.models import segmentation

    found = read_state_dict(path, having=_LAST_BIAS[architecture])
    weights = {name: value for name, value in found.items() if not name.startswith("aux_classifier.")}
    bias = weights.get(_LAST_BIAS[architecture])
    if getattr(bias, "ndim", None) != 1 or not len(bias):
        raise ValueError(
            f"{path}: no weights of {architecture}: {_LAST_BIAS[architecture]} is missing, the file has "
            f"{list(found)[:3]} …; name the architecture that they belong to"
        )
    build = getattr(segmentation, architecture)
    network = build(weights=None, weights_backbone=None, num_classes=len(bias))
    load_weights_into(network, weights, source=str(path))
    return network
