"""Modules of a network by the names that users give."""

from torch import nn


def named_module(network: nn.Module, name: str, *, wanted_by: str) -> nn.Module:
    """The module of a name as `named_modules` has it.

    wanted_by: who asks for it, for the message. Raises ValueError, which lists the network's children.
    """
    try:
        return network.get_submodule(name)
    except AttributeError:
        children = ", ".join(child for child, _ in network.named_children())
        raise ValueError(
            f"{wanted_by} names the module {name!r}, which {type(network).__name__} does not have; its "
            f"children are {children}"
        ) from None
