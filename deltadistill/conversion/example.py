"""The example that `convert` runs a network on: what it may be, its first frame, and errors that name it."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only

Example = Tensor | Sequence[Any]
"""Frames (N, C, H, W), or the arguments of the network: tensors (N, …), or lists of one image per frame."""


def first_frame(example: Example) -> tuple[Any, ...]:
    """Return the arguments with the first frame of `example` alone.

    Raises ValueError for an example without a frame, and for what is neither frames nor arguments.
    """
    if isinstance(example, Mapping):
        raise ValueError(
            f"example is a dictionary with the keys {sorted(map(str, example))[:5]}; expected frames or "
            "a tuple of arguments: pass example=(it,) to a network that takes one dictionary, else its "
            "values in the order in which forward takes them"
        )
    if not isinstance(example, Tensor | list | tuple):
        raise ValueError(
            f"example is a {type(example).__name__}; expected frames as a tensor (N, C, H, W), or a tuple of "
            "the network's arguments"
        )
    return tuple(map(_first_of, (example,) if isinstance(example, Tensor) else example))


def _first_of(argument: Any) -> Any:
    if isinstance(argument, list):
        if not argument:
            raise ValueError("example has an empty list of frames; pass one frame or more")
        argument = argument[:1]
        return tree_map_only(Tensor, Tensor.clone, argument)  # networks may change their input in place
    return tree_map_only(Tensor, _first_row, argument)


def _first_row(tensor: Tensor) -> Tensor:
    if tensor.dim() and not tensor.shape[0]:
        raise ValueError(f"example of shape {tuple(tensor.shape)} has no frame; pass one frame or more")
    return (tensor[:1] if tensor.dim() else tensor).clone()


def run_on_example(network: nn.Module, arguments: tuple[Any, ...]) -> Any:
    """Run the network, and say of what it raises that the example led there.

    Raises ValueError instead where the example is of another number type than the network's weights.
    """
    try:
        return network(*arguments)
    except Exception as error:
        if advice := _on_number_types(network, arguments):
            raise ValueError(f"{advice} (the network raised: {_first_line(error)})") from error
        error.add_note("(raised while convert ran the network on frames of `example`)")
        raise


def _on_number_types(network: nn.Module, arguments: tuple[Any, ...]) -> str | None:
    """What to say where the type of the example's numbers may be why the network does not run."""
    weights = next((p.dtype for p in network.parameters() if p.is_floating_point()), None)
    given = {leaf.dtype for leaf in tree_leaves(arguments) if isinstance(leaf, Tensor)}
    floats = {dtype for dtype in given if dtype.is_floating_point}
    if weights is None or not given or weights in floats:
        return None
    shown, wanted = _names(floats or given), _names({weights})
    if floats:
        return f"example is {shown} and the network's weights are {wanted}; pass example.to(torch.{wanted})"
    return f"example is {shown}; give frames as {wanted}, scaled as in the network's training"


def _names(dtypes: set[torch.dtype]) -> str:
    return ", ".join(sorted(str(dtype).removeprefix("torch.") for dtype in dtypes))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
