"""Sums put in the order in which engines take them into a convolution: the convolution's own output last.

A residual block computes (g + c_0) + shortcut and rectifies it. Engines compute a convolution, one sum and
one rectifier in one pass over memory, but only as one chain: g + (c_0 + shortcut). Addition being
associative, the result is the same up to rounding, with one pass over a large map less.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import onnx


def regroup_sums(path: Path) -> int:
    """Regroup the sums of a graph's file in place, and return how many were."""
    model = onnx.load(path)
    count = 0
    while _regroup_one(model.graph):
        count += 1
    if count:
        onnx.checker.check_model(model)
        onnx.save(model, path)
    return count


def _regroup_one(graph: Any) -> bool:
    """Turn one (g + c) + other into g + (c + other), where g is a convolution's that nobody else reads."""
    made_by = {output: node for node in graph.node for output in node.output}
    readers = Counter(name for node in graph.node for name in node.input)
    readers.update(output.name for output in graph.output)
    for position, outer in enumerate(graph.node):
        if outer.op_type != "Add":
            continue
        for inner_name, other in (outer.input, reversed(outer.input)):
            inner = made_by.get(inner_name)
            if inner is None or inner.op_type != "Add" or readers[inner_name] != 1 or inner_name == other:
                continue
            convolved = [name for name in inner.input if _is_convolved(name, made_by, readers)]
            if len(convolved) != 1 or _is_convolved(other, made_by, readers):
                continue  # a convolution on the other side can take the sum itself
            (rest,) = (name for name in inner.input if name != convolved[0])
            _rewrite(graph, position, outer, inner, (convolved[0], rest, other))
            return True
    return False


def _is_convolved(name: str, made_by: dict[str, Any], readers: Counter[str]) -> bool:
    return name in made_by and made_by[name].op_type == "Conv" and readers[name] == 1


def _rewrite(graph: Any, position: int, outer: Any, inner: Any, names: tuple[str, str, str]) -> None:
    convolved, rest, other = names
    first = f"{outer.output[0]}/before"
    outer.input[:] = [convolved, first]
    inner.input[:] = [rest, other]
    inner.output[:] = [first]
    node = onnx.NodeProto()
    node.CopyFrom(inner)
    graph.node.remove(inner)
    graph.node.insert(position - 1, node)  # where the outer one stands now: all that it reads is there
