"""Which part of a network a module belongs to, for tables and figures that sum over layers."""

from __future__ import annotations

from torch import nn


def part_of(model: nn.Module, qualified_name: str) -> str:
    """Name the part of `model` that holds the module `qualified_name`.

    A model may carry `parts`, a mapping from prefixes of qualified names to part names; the longest
    prefix that ends at a dot wins (`layer3` is not a prefix of `layer3_.0`). Where it says nothing, the
    part is the first component of the name, so that any network can be drawn.
    """
    parts = getattr(model, "parts", {})
    components = qualified_name.split(".")
    for length in range(len(components), 0, -1):
        prefix = ".".join(components[:length])
        if prefix in parts:
            return parts[prefix]
    return components[0] or "network"
