"""The form of what a network returns, as plain values: where in it each of its tensors belongs."""

from typing import Any

from torch import Tensor

from deltadistill.runtime.structure import Structure

_PLAIN = (bool, int, float, str, type(None))


def flatten(outputs: Any) -> tuple[list[Tensor], Structure]:
    """The tensors of a network's outputs in order, and the form that `runtime.structure.rebuild` fills.

    Raises ValueError for objects that are neither tensors, plain values, lists, tuples nor dictionaries.
    """
    tensors: list[Tensor] = []
    return tensors, _form(outputs, tensors)


def _form(value: Any, tensors: list[Tensor]) -> Structure:
    if isinstance(value, Tensor):
        tensors.append(value)
        return {"tensor": len(tensors) - 1}
    if isinstance(value, dict):
        return {"dict": {str(key): _form(each, tensors) for key, each in value.items()}}
    if isinstance(value, (list, tuple)):
        return {"list" if isinstance(value, list) else "tuple": [_form(each, tensors) for each in value]}
    if isinstance(value, _PLAIN):
        return {"value": value}
    raise ValueError(
        f"the network returns {type(value).__name__}, which no graph can; expected tensors, plain values, "
        "lists, tuples and dictionaries of them: give run=, a function (network, frames) → such outputs"
    )
