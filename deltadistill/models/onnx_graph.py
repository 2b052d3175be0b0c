"""Graphs of ONNX files made ready for a converter: names that modules may have, weights where layers look."""

import re
from collections import Counter
from collections.abc import Callable
from typing import Any


def prepare(graph: Any) -> None:
    """Change a graph in place, to one that computes the same.

    Exporters name values after paths (`/layer1/conv1/Conv_output_0`), and give layers a weight that several
    share through Identity; the first are no names of modules, the second no weight of a layer.
    """
    _without_identities(graph)
    _rename(graph, _plain_names(graph))


def unread_operators(graph: Any, convert: Callable[[Any], object]) -> str:
    """The kinds of operator that `convert` refuses, each with its number of nodes and why; "" for none.

    convert: is given a graph of one node, with all the weights.
    """
    faults: dict[str, str] = {}
    for node in graph.node:
        if node.op_type not in faults and (why := _fault(graph, node, convert)):
            faults[node.op_type] = why
    counts = Counter(node.op_type for node in graph.node)
    return "; ".join(f"{counts[kind]} {kind} ({why})" for kind, why in faults.items())


def _fault(graph: Any, node: Any, convert: Callable[[Any], object]) -> str:
    single = type(graph)()
    single.CopyFrom(graph)
    del single.node[:]
    single.node.append(node)
    try:
        convert(single)
    except Exception as error:  # converters raise whatever their operators do
        return (str(error).splitlines() or [type(error).__name__])[0][:120]
    return ""


def _without_identities(graph: Any) -> None:
    """Let every node read a weight itself, where an Identity handed it on."""
    weights = {tensor.name for tensor in graph.initializer}
    outputs = {value.name for value in graph.output}
    kept, source = [], {}
    for node in graph.node:
        read = source.get(node.input[0], node.input[0]) if node.input else ""
        if node.op_type == "Identity" and read in weights and node.output[0] not in outputs:
            source[node.output[0]] = read
        else:
            kept.append(node)
    for node in kept:
        node.input[:] = [source.get(name, name) for name in node.input]
    nodes = [type(node).FromString(node.SerializeToString()) for node in kept]
    del graph.node[:]
    graph.node.extend(nodes)


def _plain_names(graph: Any) -> dict[str, str]:
    """For every value that a node makes or reads its new name, no two alike."""
    names: dict[str, str] = {"": ""}
    taken: set[str] = set()
    for name in dict.fromkeys(_all_names(graph)):
        plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "value"
        number = 1
        while (new := plain if number == 1 else f"{plain}_{number}") in taken:
            number += 1
        taken.add(new)
        names.setdefault(name, new)
    return names


def _all_names(graph: Any) -> list[str]:
    values = [value.name for value in (*graph.initializer, *graph.input, *graph.output)]
    return [*values, *(name for node in graph.node for name in (*node.output, *node.input) if name)]


def _rename(graph: Any, names: dict[str, str]) -> None:
    for node in graph.node:
        if any(attribute.g.node or attribute.graphs for attribute in node.attribute):
            return  # what branches and loops hold reads these names too
    for node in graph.node:
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in (*graph.initializer, *graph.input, *graph.output):
        value.name = names[value.name]
