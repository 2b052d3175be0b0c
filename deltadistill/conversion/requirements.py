"""What `convert` needs of its arguments: a network that can be copied, and names that are in it."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from torch import nn
from torch.nn.parameter import is_lazy

from deltadistill.forward.modes import copy_with_modes

_NAMED = 5  # names that a message lists


def copied(network: nn.Module) -> nn.Module:
    """Return a deep copy of a plain network, every module in its own mode.

    Raises ValueError for layers without weights as yet, and for a network that cannot be copied.
    """
    lazy = [name for name, module in network.named_modules() if any(map(is_lazy, _own_tensors(module)))]
    if lazy:
        raise ValueError(
            f"the layers {lazy[:_NAMED]} have no weights yet (lazy layers get them on the first frame); run "
            "the network once on a frame, then convert it"
        )
    try:
        return copy_with_modes(network)
    except Exception as error:
        raise ValueError(
            f"the network cannot be copied, and students are put into a copy: {_uncopied(network)}: {error}; "
            "take out what cannot be copied (a lock, an open file, a tensor with a history)"
        ) from error


def _own_tensors(module: nn.Module) -> list[Any]:
    tensors = (*module._parameters.values(), *module._buffers.values())
    return [tensor for tensor in tensors if tensor is not None]


def _uncopied(network: nn.Module) -> str:
    """Name the innermost module that cannot be copied."""
    found = "the network itself"
    for name, module in network.named_modules():
        try:
            copy_with_modes(module)
        except Exception:  # the caller has it, and names the module
            found = f"{name or 'the network itself'} ({type(module).__name__})"
    return found


def known_names(names: Any, network: nn.Module) -> list[str]:
    """Return what `where` gave as a list; ValueError where it is not names of modules of the network."""
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise ValueError(f"`where` returned {names!r:.50}; expected a list of names of modules")
    names, present = list(names), dict(network.named_modules(remove_duplicate=False))
    unknown = [name for name in names if not isinstance(name, str) or name not in present]
    if unknown:
        near = get_close_matches(str(unknown[0]), [name for name in present if name], n=3, cutoff=0.4)
        hint = f"; close to the first: {near}" if near else ""
        raise ValueError(
            f"`where` names modules that the network does not have: {unknown[:_NAMED]!r:.300}{hint}; names "
            "are those of network.named_modules()"
        )
    return names
