"""Networks of torchvision by its own names, with random weights and outputs of this library's form."""

import inspect
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from torch import Tensor, nn

_PREFIX = "torchvision:"
_WEIGHTS = ("weights", "weights_backbone")


def find(name: str) -> Callable[..., nn.Module]:
    """Return the builder of torchvision:NAME; ValueError for a name that torchvision does not have.

    Its options are those of torchvision's function but for the weights, which are random: start_from, or
    `load_weights`, takes a file of torchvision's. Segmentation networks return their logits (N, K, H, W), all
    others what torchvision's return.
    """
    from torchvision import models as torchvision_models  # takes seconds that no other source needs
    from torchvision.models import list_models

    theirs = name.removeprefix(_PREFIX)
    if theirs not in (known := list_models()):
        near = ", ".join(get_close_matches(theirs, known)) or "torchvision.models.list_models() lists them"
        raise ValueError(f"model {name!r}: torchvision has no such network; near: {near}")

    def build(*, classes: int | None = None, **options: Any) -> nn.Module:
        if asked := sorted(set(options) & set(_WEIGHTS)):
            raise ValueError(
                f"model {name!r}: {asked[0]} is no option; load weights from a file (start_from)"
            )
        parameters = inspect.signature(torchvision_models.get_model_builder(theirs)).parameters
        no_weights = dict.fromkeys(_WEIGHTS if "weights_backbone" in parameters else _WEIGHTS[:1])
        number = {} if classes is None else {"num_classes": classes}  # else torchvision's own number
        try:
            network = torchvision_models.get_model(theirs, **no_weights, **number, **options)
        except TypeError as error:
            raise ValueError(f"model {name!r} does not take its options: {error}") from error
        return Logits(network) if theirs in list_models(torchvision_models.segmentation) else network

    return build


class Logits(nn.Module):
    """Takes the logits out of the dictionary that torchvision's segmentation networks return."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor) -> Tensor:
        """Map frames (N, 3, H, W) to logits (N, classes, H, W)."""
        return self.network(frames)["out"]
