"""Networks by name: a table of builders of plain modules that know nothing about delta distillation."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial

from torch import nn

from deltadistill.models import ddrnet, efficientdet, faster_rcnn, hrnet, own
from deltadistill.models.excluded import published_convolutions
from deltadistill.models.network_parts import part_of

__all__ = ["MODELS", "build", "part_of", "published_convolutions", "register"]

MODELS: dict[str, Callable[..., nn.Module]] = {
    "ddrnet23_slim": partial(ddrnet.build, ddrnet.SLIM_23),
    "ddrnet23": partial(ddrnet.build, ddrnet.FULL_23),
    "ddrnet39": partial(ddrnet.build, ddrnet.FULL_39),
    "efficientdet_d0": efficientdet.build_d0,
    "faster_rcnn_r101": faster_rcnn.build_r101,
    "hrnet_w18_small": hrnet.build_w18_small,
}


def build(name: str, *, classes: int, **options) -> nn.Module:
    """Build the network `name` with random weights (`torch.manual_seed` decides them).

    A name that is not in the table is looked for in networks/ (see `models.own`). `classes` is the number
    of output channels; `options` are the builder's own, such as `width`.
    Raises ValueError for a name or an option that is not known, and lists those that are.
    """
    builder = MODELS.get(name) or own.find(name)
    if builder is None:
        listed = ", ".join([*sorted(MODELS), *own.names()])
        raise ValueError(f"unknown model {name!r}; known: {listed}; your own: networks/{name}.py")
    known = [option for option in inspect.signature(builder).parameters if option != "classes"]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(f"model {name!r} has no option {', '.join(unknown)}; known: {', '.join(known)}")
    return builder(classes=classes, **options)


def register(name: str, builder: Callable[..., nn.Module]) -> None:
    """Make `build(name, classes=…, …)` call `builder`. Raises ValueError when the name is taken."""
    if name in MODELS:
        raise ValueError(f"model {name!r} is registered already; choose another name")
    MODELS[name] = builder
