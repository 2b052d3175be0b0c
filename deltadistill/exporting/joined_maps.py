"""One map where two are only ever added: of two converted layers whose outputs are summed.

A delta frame computes (g + c_0) + (g' + c_0'), which `regroup_sums` has made g + (g' + (c_0 + c_0')). The
innermost sum is the same on every frame; the key frame, which computes it too, hands it over for both.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import onnx


def join_maps(
    key: Path, delta: Path, maps: Iterable[str], *, moved: Collection[str] = ()
) -> dict[str, tuple[str, ...]]:
    """Join maps in the files of both graphs, in place; those that are left, and what each stands for.

    moved: maps that go where the picture goes; they join each other alone, as a sum moves as its parts do.
    A map that stands for several has the name of one of them.
    """
    models = {path: onnx.load(path) for path in (key, delta)}
    left = {name: (name,) for name in maps}
    while (joined := _join_two(models[key].graph, models[delta].graph, list(left), moved)) is not None:
        one, gone = joined
        left[one] += left.pop(gone)
    if any(len(names) > 1 for names in left.values()):
        for path, model in models.items():
            onnx.checker.check_model(model)
            onnx.save(model, path)
    return left


def _join_two(key: Any, delta: Any, maps: list[str], moved: Collection[str]) -> tuple[str, str] | None:
    """Join two maps that a delta frame only adds, as a key frame does too; its name, and the other's.

    The other is no map any longer.
    """
    readers = Counter(name for node in delta.node for name in node.input)
    shapes = {each.name: each.type.tensor_type for each in delta.input}
    for in_delta in delta.node:
        one, other = in_delta.input if len(in_delta.input) == 2 else (None, None)
        if in_delta.op_type != "Add" or one == other or one not in maps or other not in maps:
            continue
        if readers[one] > 1 or readers[other] > 1 or shapes[one] != shapes[other]:
            continue
        if (one in moved) != (other in moved):
            continue
        if (in_key := _sum_of(key, one, other)) is not None:
            _hand_over(key, in_key, one, other)
            _take(delta, in_delta, one, other)
            return one, other
    return None


def _sum_of(graph: Any, one: str, other: str) -> Any:
    """The node of a key graph that adds two maps and whose result is nothing else that leaves the graph."""
    leaving = {each.name for each in graph.output}
    return next(
        (
            node
            for node in graph.node
            if node.op_type == "Add" and set(node.input) == {one, other} and node.output[0] not in leaving
        ),
        None,
    )


def _hand_over(graph: Any, total: Any, one: str, other: str) -> None:
    """Let the sum leave the key graph under the name of the first, whose own tensor gets another name."""
    names = {one: f"{one}/own", total.output[0]: one}
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    _drop(graph.output, other)


def _take(graph: Any, total: Any, one: str, other: str) -> None:
    """Let the delta graph read the first where it read the sum."""
    name = total.output[0]
    graph.node.remove(total)
    for node in graph.node:
        node.input[:] = [one if each == name else each for each in node.input]
    _drop(graph.input, other)


def _drop(values: Any, name: str) -> None:
    values.remove(next(each for each in values if each.name == name))
