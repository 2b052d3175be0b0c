"""Networks of timm by its own names, with random weights; timm is needed for them alone."""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from torch import nn

_PREFIX = "timm:"
_WEIGHTS = ("pretrained", "checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay")


def find(name: str) -> Callable[..., nn.Module]:
    """Return the builder of timm:NAME; ValueError for a name that timm does not have.

    Its options are those of timm.create_model but for the weights, which are random: `load_weights` takes a
    file of timm's. Networks return what timm's return: scores (N, classes).
    """
    timm, theirs = _package(name), name.removeprefix(_PREFIX)
    if not timm.is_model(theirs.partition(".")[0]):
        near = ", ".join(get_close_matches(theirs, timm.list_models())) or "timm.list_models() lists them"
        raise ValueError(f"model {name!r}: timm has no such network; near: {near}")

    def build(*, classes: int | None = None, **options: Any) -> nn.Module:
        if asked := sorted(set(options) & set(_WEIGHTS)):
            raise ValueError(f"model {name!r}: {asked[0]} is no option; load weights from a file")
        number = {} if classes is None else {"num_classes": classes}
        try:
            return timm.create_model(theirs, pretrained=False, **number, **options)
        except (TypeError, RuntimeError) as error:
            raise ValueError(f"model {name!r} does not take its options: {error}") from error

    return build


def pictures_of(name: str, network: nn.Module, weights: str | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """How pictures go into timm's own weights of a network, as plain values; and no names of classes."""
    theirs = getattr(network, "pretrained_cfg", {})
    if not {"input_size", "mean", "std"} <= theirs.keys():
        return {}, ()
    fit = {"center": "crop", "squash": "stretch", "border": "letterbox"}[theirs.get("crop_mode", "center")]
    return {
        "size": tuple(theirs["input_size"][1:]),
        "fit": fit,
        "mean": tuple(theirs["mean"]),
        "deviation": tuple(theirs["std"]),
    }, ()


def _package(name: str) -> Any:
    try:
        import timm
    except ImportError:
        raise ValueError(f"model {name!r} needs timm, which is not installed; pip install timm") from None
    return timm
