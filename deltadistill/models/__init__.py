"""Networks by name: plain modules that know nothing about delta distillation."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deltadistill.models.building import build as build
    from deltadistill.models.building import build_shapes as build_shapes
    from deltadistill.models.building import register as register
    from deltadistill.models.excluded import published_convolutions as published_convolutions
    from deltadistill.models.network_parts import part_of as part_of

# The public names are loaded when they are first used: the table of names alone needs no torch.
_HOMES = {
    "build": "building",
    "build_shapes": "building",
    "register": "building",
    "published_convolutions": "excluded",
    "part_of": "network_parts",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"deltadistill.models has no name {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"deltadistill.models.{_HOMES[name]}"), name)
