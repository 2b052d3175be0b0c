"""Pads taken into the pools and convolutions that read them, where engines keep their own order of channels.

Networks that come from TensorFlow pad by an operator of its own. A pad of zeros before a convolution is the
convolution's; one of −∞ before a pool of maxima is the pool's. A student's first factor, (k, 1) without a
bias, leaves columns of zeros what they are, so that its second one pads them: on fewer columns the first has
less to do.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import helper

from deltadistill.runtime.known_values import KnownValues

_ZEROS, _LOWEST = 0.0, float("-inf")
_READERS = {"Conv": _ZEROS, "MaxPool": _LOWEST}  # and with what each pads by itself


def fold_pads(graph: Any) -> int:
    """Fold what can be folded of an ONNX graph, in place; return how many pads are gone."""
    pads = [node for node in graph.node if node.op_type == "Pad"]
    folded = sum(_fold(graph, pad) for pad in pads)
    if folded:
        for node in graph.node:
            _hand_on_columns(graph, node)
    return folded


def _fold(graph: Any, pad: Any) -> bool:
    """Give a pad to all that read it; False, and nothing changed, where one of them cannot take it."""
    sides, value = _sides(graph, pad)
    readers = _readers(graph, pad.output[0])
    if sides is None or not readers or _leaves(graph, pad.output[0]):
        return False
    if not all(_takes(reader, pad.output[0], value) for reader in readers):
        return False
    for reader in readers:
        reader.input[0] = pad.input[0]
        _add_sides(reader, sides)
    graph.node.remove(pad)
    return True


def _sides(graph: Any, pad: Any) -> tuple[list[int] | None, float]:
    """What is added above, left, below and right of maps (N, C, H, W), and its value; None for other pads."""
    known = KnownValues(graph)
    amounts = known.find(pad.input[1])
    given = known.find(pad.input[2]) if len(pad.input) > 2 and pad.input[2] else np.zeros(())
    plain = _attribute(pad, "mode", b"constant") == b"constant" and len(pad.input) < 4
    if not plain or amounts is None or given is None or len(amounts) != 8 or (amounts < 0).any():
        return None, 0.0
    if amounts[[0, 1, 4, 5]].any():
        return None, 0.0
    return [int(each) for each in amounts[[2, 3, 6, 7]]], float(given.reshape(()))


def _takes(reader: Any, name: str, value: float) -> bool:
    return (
        _READERS.get(reader.op_type) == value
        and reader.input[0] == name
        and list(reader.input).count(name) == 1
        and len(reader.output) == 1
        and _attribute(reader, "auto_pad", b"NOTSET") == b"NOTSET"
        and not _attribute(reader, "ceil_mode", 0)
    )


def _hand_on_columns(graph: Any, first: Any) -> None:
    """Let the second factor of a student pad the columns that its first one pads with zeros."""
    sides = _attribute(first, "pads", [0, 0, 0, 0])
    readers = _readers(graph, first.output[0])
    if not _is_first_factor(first) or len(readers) != 1 or _leaves(graph, first.output[0]):
        return
    (second,) = readers
    if (sides[1] or sides[3]) and _takes(second, first.output[0], _ZEROS):
        _add_sides(second, [0, sides[1], 0, sides[3]])
        _add_sides(first, [0, -sides[1], 0, -sides[3]])


def _is_first_factor(node: Any) -> bool:
    """Whether it is a convolution that computes each column by itself, and zeros of zeros."""
    if node.op_type != "Conv" or len(node.input) > 2:
        return False
    columns = (_attribute(node, name, [1, 1])[1] for name in ("kernel_shape", "strides"))
    return all(each == 1 for each in columns)


def _add_sides(node: Any, sides: Sequence[int]) -> None:
    before = _attribute(node, "pads", [0, 0, 0, 0])
    kept = [each for each in node.attribute if each.name != "pads"]
    del node.attribute[:]
    sums = [a + b for a, b in zip(before, sides, strict=True)]
    node.attribute.extend([*kept, helper.make_attribute("pads", sums)])


def _attribute(node: Any, name: str, otherwise: Any) -> Any:
    found = (helper.get_attribute_value(each) for each in node.attribute if each.name == name)
    return next(found, otherwise)


def _readers(graph: Any, name: str) -> list[Any]:
    return [node for node in graph.node if name in node.input]


def _leaves(graph: Any, name: str) -> bool:
    return any(each.name == name for each in graph.output)
