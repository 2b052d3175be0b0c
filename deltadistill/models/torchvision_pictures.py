"""How pictures go into torchvision's own weights, and what their classes are called."""

from typing import Any

from torch import nn

_PREFIX = "torchvision:"


def pictures_of(name: str, network: nn.Module, weights: str | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Plain values of how pictures go in, and the names of the classes; {} and () where nothing tells.

    weights: the name of a file; where it is that of one of torchvision's weights these are meant, otherwise
        the ones that torchvision takes by default, whose way of preparing other trainings mostly share.
    """
    entries = list(_weights_of(name))
    if not entries:
        return {}, ()
    named = [entry for entry in entries if weights and entry.url.endswith(f"/{weights}")]
    entry = (named or [_weights_of(name).DEFAULT])[0]
    return _plain(entry.transforms()), tuple(entry.meta.get("categories", ()))


def addresses(name: str) -> list[str]:
    """Where torchvision's own weights of a network are, for messages: nothing is downloaded here."""
    return [entry.url for entry in _weights_of(name)]


def _weights_of(name: str) -> Any:
    from torchvision.models import get_model_weights  # takes seconds that no other source needs

    return get_model_weights(name.removeprefix(_PREFIX))


def _plain(transforms: Any) -> dict[str, Any]:
    kind = type(transforms).__name__
    if kind == "ObjectDetection":  # these networks normalise and scale on their own
        return {"fit": "stretch"}
    if kind not in ("ImageClassification", "SemanticSegmentation"):
        return {}
    found = {"mean": tuple(transforms.mean), "deviation": tuple(transforms.std)}
    if kind == "SemanticSegmentation":  # they scale the short side; the shape of the video stays
        return found
    return found | {"size": (transforms.crop_size[0],) * 2, "fit": "crop"}
