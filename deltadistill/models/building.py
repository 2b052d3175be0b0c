"""Networks by name: from a source (sources.py), or registered by the caller."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import nn

from deltadistill.models import own, sources
from deltadistill.models.registry import MODELS

REGISTERED: dict[str, Callable[..., nn.Module]] = {}


def build(name: str, *, classes: int, **options) -> nn.Module:
    """Build the network `name` with random weights (`torch.manual_seed` decides them).

    name: of this library or of `register`, of a file in networks/, file.py:function,
        package.module:function, torchvision:NAME, timm:NAME, or an ONNX file, which brings its weights
        (see `sources`).
    classes: the number of output channels. options: the builder's own, such as `width`.
    Raises ValueError for a name or an option that is not known, and lists those that are.
    """
    builder = REGISTERED.get(name) or sources.find(name)
    if builder is None:
        listed = ", ".join([*sorted([*MODELS, *REGISTERED]), *own.names()])
        raise ValueError(
            f"unknown model {name!r}; known: {listed}; your own: networks/{name}.py, "
            "file.py:function, package.module:function or an ONNX file; others': torchvision:NAME, timm:NAME"
        )
    _require_options(name, builder, options)
    return builder(classes=classes, **options)


def build_shapes(name: str, *, classes: int, **options) -> nn.Module:
    """Build a network of tensors without values, in an instant where its builder can do without them.

    A builder that looks at values, such as one that reads weights, has them while it builds.
    """
    try:
        with torch.device("meta"):
            return build(name, classes=classes, **options)
    except (RuntimeError, NotImplementedError, TypeError, ValueError):  # raised again if not about values
        return build(name, classes=classes, **options).to("meta")


def build_from_file(model: Mapping[str, Any], *, own_names: Collection[str] = ()) -> nn.Module:
    """Build the network that a file describes, which may be somebody else's; otherwise as `build` does.

    model: {"name", "classes", "options"}. own_names: what the caller itself names, whatever it leads to.
    ValueError for another name that leads to a file or a module anywhere, of which nothing is run.
    """
    name = model["name"]
    if sources.source_of(name) in sources.LEAD_ANYWHERE and name not in (*own_names, *REGISTERED):
        raise ValueError(
            f"model {name!r} would run code or read a file anywhere on the word of a file; if it is yours, "
            f"say so: own_names=[{name!r}], or model.name in params.yaml"
        )
    return build(name, classes=model["classes"], **model["options"])


def register(name: str, builder: Callable[..., nn.Module]) -> None:
    """Make `build(name, classes=…, …)` call `builder`. Raises ValueError when the name is taken."""
    if name in MODELS or name in REGISTERED:
        raise ValueError(f"model {name!r} is registered already; choose another name")
    REGISTERED[name] = builder


def _require_options(name: str, builder: Callable[..., nn.Module], options: Collection[str]) -> None:
    parameters = inspect.signature(builder).parameters.values()
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return  # the builder itself says which there are
    known = [parameter.name for parameter in parameters if parameter.name != "classes"]
    if unknown := sorted(set(options) - set(known)):
        raise ValueError(f"model {name!r} has no option {', '.join(unknown)}; known: {', '.join(known)}")
