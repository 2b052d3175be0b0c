"""Maps whose channels fill no whole blocks, filled up with channels of zeros so that they lie in blocks too.

An engine computes whole blocks in any case. Weights of zeros make the further channels, and weights of zeros
read them; those that leave the graph are cut off again by the reorder that brings outputs into plain order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deltadistill.runtime.known_values import KnownValues

_MOST = 1.25  # times the map's own channels: memory is what a stream has least of
# Of each channel by itself: what they make of a further one is read by zeros.
_BY_CHANNEL = ("Add", "Elu", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Mul", "Relu", "Sigmoid")


def filled(channels: int, block: int) -> int:
    """Channels with those that fill the last block."""
    return -(-channels // block) * block


def is_worth_filling(channels: int, block: int) -> bool:
    """Whether the further channels are few against those that a map has."""
    return channels < filled(channels, block) <= _MOST * channels


@dataclass(frozen=True)
class Filled:
    """What has further channels now: maps, and outputs.

    outputs: with their own number of channels, and the maps that they have the others from.
    """

    maps: set[str]
    outputs: dict[str, tuple[int, set[str]]]


def fill_blocks(graphs: Sequence[Any], maps: Mapping[str, int], block: int) -> Filled:
    """Fill up what can be of maps, in the graphs that hand them over and take them, in place.

    maps: with their channels. Maps that are summed are filled up together or not at all.
    """
    found = Filled(set(), {})
    left = dict(maps)
    while left:
        first, channels = next(iter(left.items()))
        names, spreads = _spreads(graphs, first, {name for name in left if left[name] == channels})
        for graph, spread in zip(graphs, spreads, strict=True):
            if spread is not None and None not in spreads:
                _fill(graph, spread, channels, filled(channels, block) - channels)
                leaving = {each.name for each in graph.output} & spread.tensors - names
                found.outputs.update(dict.fromkeys(leaving, (channels, names)))
                found.maps.update(names)
        left = {name: count for name, count in left.items() if name not in names}
    return found


def cut_off(graph: Any, filled_up: Filled) -> set[str]:
    """Let outputs of an optimised graph have their own channels again; the maps for which that cannot be."""
    reorders = {node.output[0]: node for node in graph.node if node.op_type == "ReorderOutput"}
    values = {each.name: each for each in graph.output}
    stuck: set[str] = set()
    for name, (channels, maps) in filled_up.outputs.items():
        if name not in reorders:
            stuck |= maps
            continue
        for each in reorders[name].attribute:
            if each.name == "channels":
                each.i = channels
        values[name].type.tensor_type.shape.dim[1].dim_value = channels
    return stuck


@dataclass
class _Spread:
    """What has further channels with a map: tensors, and the convolutions that make or read one of them."""

    tensors: set[str] = field(default_factory=set)
    makers: list[Any] = field(default_factory=list)
    readers: list[Any] = field(default_factory=list)


def _spreads(graphs: Sequence[Any], first: str, alike: set[str]) -> tuple[set[str], list[_Spread | None]]:
    """The maps among those alike that have to do with one in any graph, and in each graph what else has."""
    names, before = {first}, set[str]()
    spreads: list[_Spread | None] = []
    while names != before:
        before = set(names)
        spreads = [_spread(graph, names, alike) for graph in graphs]
        names |= {name for spread in spreads if spread is not None for name in spread.tensors & alike}
    return names, spreads


def _spread(graph: Any, maps: set[str], alike: set[str]) -> _Spread | None:
    """All that maps of a graph have to do with; None where that is more than can be filled up."""
    made_by = {output: node for node in graph.node for output in node.output}
    spread, left = _Spread(), sorted(maps)
    while left:
        name = left.pop()
        if name in spread.tensors:
            continue
        spread.tensors.add(name)
        maker = made_by.get(name)
        if maker is None and name not in alike:
            return None
        if maker is not None and _is_plain_convolution(maker):
            spread.makers.append(maker)
        elif maker is not None and maker.op_type not in _BY_CHANNEL:
            return None
        elif maker is not None:
            left += maker.input
        for node in (node for node in graph.node if name in node.input):
            if _is_plain_convolution(node) and name not in list(node.input)[1:]:
                spread.readers.append(node)
            elif node.op_type in _BY_CHANNEL:
                left += node.output
            else:
                return None
    return spread


def _fill(graph: Any, spread: _Spread, channels: int, more: int) -> None:
    """Give what `spread` names further channels."""
    for node in spread.makers:
        _fill_weights(graph, node, more, axis=0)
    for node in spread.readers:
        _fill_weights(graph, node, more, axis=1)
    for each in (*graph.input, *graph.output):
        if each.name in spread.tensors:
            each.type.tensor_type.shape.dim[1].dim_value = channels + more
    del graph.value_info[:]


def _is_plain_convolution(node: Any) -> bool:
    return node.op_type == "Conv" and not any(each.name == "group" and each.i != 1 for each in node.attribute)


def _fill_weights(graph: Any, node: Any, more: int, *, axis: int) -> None:
    """Further channels of zeros in the kernel, and in the bias where they are made."""
    from onnx import numpy_helper

    known = KnownValues(graph)
    for place in (1, 2) if axis == 0 else (1,):
        if len(node.input) <= place or not node.input[place]:
            continue
        values = known.find(node.input[place])
        assert values is not None, node.name  # weights of a convolution are known
        sides = [(0, more if number == axis else 0) for number in range(values.ndim)]
        name = f"{node.input[place]}/{node.output[0]}/filled"
        graph.initializer.append(numpy_helper.from_array(np.pad(values, sides), name))
        node.input[place] = name
