"""A network by the name that a user types: from any source, with its weights, and how pictures go into it."""

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from deltadistill.models import building, sources
from deltadistill.models.registry import MODELS, PICTURES
from deltadistill.models.torchvision_networks import Logits
from deltadistill.models.torchvision_pictures import addresses
from deltadistill.stored.architecture import load_network
from deltadistill.stored.classes_of_weights import classes_of_weights
from deltadistill.stored.network_file import read_network_file
from deltadistill.stored.weights import load_weights

_FORMS = (
    "file.py:function, package.module:function, torchvision:NAME[@weights.pth], timm:NAME[@weights.pth], "
    "model.onnx, a network file of save_network, or a name of this project"
)


@dataclass(frozen=True)
class NamedNetwork:
    """A network in evaluation mode, and what its name told of it.

    model: {"name", "classes", "options"} as models.build takes them; classes None: the source's own number.
    pictures: how they go in, of the weights' own, as values of runtime/picture_form.py by name; without a
        size where any will do, {} where nothing tells. categories: names of classes.
    notes: what there is to say of weights and pictures, in words.
    """

    network: nn.Module
    model: Mapping[str, Any]
    pictures: Mapping[str, Any] = field(default_factory=dict)
    categories: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def open_network(
    text: str,
    *,
    classes: int | None = None,
    or_classes: int | None = None,
    options: Mapping[str, Any] | None = None,
    own_names: Collection[str] = (),
) -> NamedNetwork:
    """Make the network that `text` names: NAME, NAME@WEIGHTS, or the path of a network file.

    classes: their number, which weights tell too. or_classes: where the source asks for a number and nothing
        tells one; the notes say so. options: the builder's own.
    own_names: networks of yours that a network file may lead to (`dd.load_network`).
    Nothing is downloaded: weights are a file, and without them they are random, which the notes say.
    Raises ValueError for a name, an option or weights that lead to no network.
    """
    name, weights = _split(text)
    if weights is None and _is_network_file(name):
        model = read_network_file(name)["model"]
        return NamedNetwork(load_network(name, own_names=own_names), model)
    options, notes = dict(options or {}), ()
    builder = _builder(name)
    if classes is None and weights is None and or_classes is not None and _needs_classes(builder):
        classes, notes = or_classes, (f"{or_classes} classes, as nothing says how many",)
    network, model = _built(name, builder, classes, options, weights, or_classes)
    notes += _weighted(network, name, weights)
    pictures, categories = _pictures(name, network, weights)
    return NamedNetwork(network.eval(), model, pictures, categories, notes)


def _split(text: str) -> tuple[str, Path | None]:
    name, separator, weights = text.partition("@")
    if not separator or Path(text).exists():
        return text, None
    path = Path(weights).expanduser()
    if not path.is_file():
        raise ValueError(f"{text}: there is no file of weights {path}{_where_from(name)}")
    return name, path


def _where_from(name: str) -> str:
    if sources.source_of(name) != "torchvision":
        return ""
    sources.find(name)  # says where there is no such network
    listed = ", ".join(addresses(name)[:3])
    return f"; torchvision's own, to be downloaded by you: {listed}" if listed else ""


def _is_network_file(name: str) -> bool:
    return not name.endswith((".onnx", ".py")) and Path(name).is_file()


def _builder(name: str) -> Callable[..., Any]:
    builder = building.REGISTERED.get(name) or sources.find(name)
    if builder is None:
        known = ", ".join([*MODELS, *building.REGISTERED, *building.own.names()])
        raise ValueError(f"unknown network {name!r}; expected {_FORMS}: {known}")
    return builder


def _built(
    name: str,
    builder: Callable[..., Any],
    classes: int | None,
    options: dict[str, Any],
    weights: Path | None,
    or_classes: int | None,
) -> tuple[nn.Module, dict[str, Any]]:
    """Build it; where weights are given and no number of classes, once more for theirs."""
    guess = or_classes or 2 if weights and _needs_classes(builder) else None
    network = _call(name, builder, classes or guess, options)
    if weights and classes is None and (told := classes_of_weights(network, weights)):
        network, guess = _call(name, builder, told, options), told
    return network, {"name": name, "classes": classes or guess, "options": options}


def _needs_classes(builder: Callable[..., Any]) -> bool:
    given = inspect.signature(builder).parameters
    return "classes" in given and given["classes"].default is inspect.Parameter.empty


def _call(name: str, builder: Callable[..., Any], classes: int | None, options: dict[str, Any]) -> nn.Module:
    """Give the builder as many classes as are asked for, if it takes a number."""
    given = inspect.signature(builder).parameters
    takes = "classes" in given or any(p.kind is inspect.Parameter.VAR_KEYWORD for p in given.values())
    if classes is not None and not takes:
        raise ValueError(f"{name} takes no number of classes; leave it out")
    if classes is None and _needs_classes(builder):
        raise ValueError(f"{name} has to be told how many classes it has: --classes, classes=…")
    try:
        network = builder(**({} if classes is None else {"classes": classes}), **options)
    except TypeError as error:
        raise ValueError(f"{name} does not take its options: {error}") from error
    if not isinstance(network, nn.Module):
        raise ValueError(
            f"{name} returned {type(network).__name__}; expected a function that returns a network"
        )
    return network


def _weighted(network: nn.Module, name: str, weights: Path | None) -> tuple[str, ...]:
    if weights is None:
        brings = sources.source_of(name) in ("onnx", "file", "module", "networks")
        return () if brings else (f"random weights: {name}@WEIGHTS takes a file of them",)
    inner = network.network if type(network) is Logits else network
    loaded = load_weights(inner, weights)
    if loaded.missing:
        listed = ", ".join(loaded.missing[:3])
        raise ValueError(
            f"{weights}: {len(loaded.missing)} tensors of {name} are not in it, {listed} among them; "
            "expected weights of this network"
        )
    unused = f", {len(loaded.unused)} unused" if loaded.unused else ""
    return (f"weights: {len(loaded.loaded)} tensors of {weights}{unused}",)


def _pictures(
    name: str, network: nn.Module, weights: Path | None
) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    source = sources.source_of(name)
    if source not in PICTURES.entries:
        return {}, ()
    return PICTURES.find(source)(name, network, weights.name if weights else None)
