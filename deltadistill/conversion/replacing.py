"""Blocks in the place of their modules, wherever a network holds these."""

from operator import is_not
from typing import Any

from torch import nn

from deltadistill.blocks.delta import DeltaBlock


def replace_modules(network: nn.Module, blocks: dict[int, DeltaBlock]) -> nn.Module:
    """Put the blocks where their modules are, also in plain lists and other attributes of a module.

    blocks: by the id of the module. The network is changed in place; what comes back is the network, or the
    block that takes its place.
    """
    if id(network) in blocks:
        return blocks[id(network)]
    for parent in list(network.modules()):
        _replaced(vars(parent), blocks)  # children included, and twice where registered twice
    return network


def _replaced(value: Any, blocks: dict[int, DeltaBlock]) -> Any:
    """Return `value` with blocks for modules; lists and dictionaries are changed in place."""
    if id(value) in blocks:
        return blocks[id(value)]
    if type(value) is tuple:
        items = tuple(_replaced(item, blocks) for item in value)
        return items if any(map(is_not, items, value)) else value
    if isinstance(value, list | dict):
        for key, item in list(enumerate(value) if isinstance(value, list) else value.items()):
            if (new := _replaced(item, blocks)) is not item:
                value[key] = new
    return value
