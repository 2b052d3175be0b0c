"""A classifier of torchvision with the strides of a published schedule of ReDistill (docs/memory.md)."""

from torch import nn
from torchvision.models import get_model

from deltadistill.models.pool_earlier import pool_earlier


def build(*, classes: int, of: str, schedule: str, size: int = 128) -> nn.Module:
    """Build the network with random weights.

    of: a name of torchvision.models. schedule: of models/pool_earlier.py; those of teachers on STL-10 do not
    stride in the stem. size: of frames, pixels.
    """
    network = get_model(of, weights=None, num_classes=classes)
    return pool_earlier(network, schedule=schedule, size=(3, size, size))
