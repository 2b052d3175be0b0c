"""Networks by name: from the table, registered by the caller, or from the folder networks/."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from torch import nn

from deltadistill.models import own
from deltadistill.models.registry import MODELS

REGISTERED: dict[str, Callable[..., nn.Module]] = {}


def build(name: str, *, classes: int, **options) -> nn.Module:
    """Build the network `name` with random weights (`torch.manual_seed` decides them).

    A name that is not in the table is looked for in networks/ (see `models.own`). `classes` is the number
    of output channels; `options` are the builder's own, such as `width`.
    Raises ValueError for a name or an option that is not known, and lists those that are.
    """
    builder = _builder(name)
    if builder is None:
        listed = ", ".join([*sorted([*MODELS, *REGISTERED]), *own.names()])
        raise ValueError(f"unknown model {name!r}; known: {listed}; your own: networks/{name}.py")
    known = [option for option in inspect.signature(builder).parameters if option != "classes"]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(f"model {name!r} has no option {', '.join(unknown)}; known: {', '.join(known)}")
    return builder(classes=classes, **options)


def register(name: str, builder: Callable[..., nn.Module]) -> None:
    """Make `build(name, classes=…, …)` call `builder`. Raises ValueError when the name is taken."""
    if name in MODELS or name in REGISTERED:
        raise ValueError(f"model {name!r} is registered already; choose another name")
    REGISTERED[name] = builder


def _builder(name: str) -> Callable[..., nn.Module] | None:
    """The builder of a name; no import path, since the name may come from a file of somebody else's."""
    if name in MODELS:
        return MODELS.find(name)
    return REGISTERED.get(name) or own.find(name)
