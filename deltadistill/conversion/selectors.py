"""Selectors: which modules of a network to convert, by qualified name."""

from collections.abc import Callable

from torch import nn

from deltadistill.blocks.delta import DeltaBlock

Selector = Callable[[nn.Module], list[str]]
"""Maps a network to the qualified names of the modules to convert."""


def all_convolutions(network: nn.Module) -> list[str]:
    """Select every Conv2d, of a subclass too, in the order in which the network registers them."""
    return [name for name, module in network.named_modules() if _is_layer(module, nn.Conv2d)]


def all_layers(network: nn.Module) -> list[str]:
    """Select every Conv2d and Linear, of a subclass too, in the order in which the network registers them."""
    return [name for name, module in network.named_modules() if _is_layer(module, nn.Conv2d, nn.Linear)]


def _is_layer(module: nn.Module, *kinds: type[nn.Module]) -> bool:
    """Whether a module is one of the kinds itself: a block passes for its teacher, which is there as well."""
    return isinstance(module, kinds) and not isinstance(module, DeltaBlock)


def inner_layers(network: nn.Module) -> list[str]:
    """Select every Conv2d and Linear but the first and the last."""
    return all_layers(network)[1:-1]


def residual_blocks(network: nn.Module) -> list[str]:
    """Select the residual blocks of ResNet-like networks: modules whose class is named after one."""
    names = ("BasicBlock", "Bottleneck", "InvertedResidual")
    return [name for name, module in network.named_modules() if type(module).__name__ in names]


def inner_convolutions(network: nn.Module) -> list[str]:
    """Select every Conv2d but the first and the last: those two are cheap and hurt most."""
    return all_convolutions(network)[1:-1]


def whole_network(network: nn.Module) -> list[str]:
    """Select the network as one block; of one with a module `trunk`, which makes its output small, that."""
    return ["trunk" if isinstance(getattr(network, "trunk", None), nn.Module) else ""]


def matching(predicate: Callable[[str, nn.Module], bool]) -> Selector:
    """Make a selector of the modules for which `predicate(name, module)` is true."""

    def select(network: nn.Module) -> list[str]:
        return [name for name, module in network.named_modules() if predicate(name, module)]

    return select
