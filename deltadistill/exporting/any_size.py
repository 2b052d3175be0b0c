"""Axes of frames, outputs and maps that may have other sizes, and proof that the graphs follow them.

Tracing writes down what a network did with one frame. Where it computed with the frame's size as with a plain
number, that number stands in the graph: traced at two sizes, such graphs differ.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import gcd
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor

from deltadistill.exporting.functions import DeltaFunctions
from deltadistill.exporting.layer_names import module_paths
from deltadistill.exporting.onnx_graphs import FRAME, Axes, ExportError
from deltadistill.exporting.operator_calls import last_call
from deltadistill.exporting.running import graphs_of
from deltadistill.runtime.engine import open_session
from deltadistill.runtime.graphs import Graphs

BATCH, HEIGHT, WIDTH = "batch", "height", "width"
_LARGEST_STEP = 64  # pixels; networks halve a frame five or six times

Shapes = Mapping[str, tuple[int, ...]]


def other_example(example: Tensor) -> Tensor:
    """A frame of another height and width, and another ratio of them, that is divided as often by two."""
    height, width = example.shape[-2:]
    up, aside = (gcd(side, _LARGEST_STEP) for side in (height, width))
    taller, wider = height + up, width + aside
    if taller * width == wider * height:
        wider += aside
    return torch.randn(*example.shape[:-2], taller, wider, generator=torch.Generator().manual_seed(0))


def batch_axes(functions: DeltaFunctions) -> dict[str, Axes]:
    """The first axis of everything that goes in and out."""
    return {name: {0: BATCH} for name in (FRAME, *functions.outputs, *functions.maps)}


def size_axes(functions: DeltaFunctions, other: Tensor) -> dict[str, Axes]:
    """The axes of everything that goes in and out that change with the frame's size, by its name.

    Their names tell how large they are: "height", "width/8"; others have the tensor's own name in them.
    other: a frame of another size. Raises ExportError, with operator and layer, where the network takes none.
    """
    now, then = _shapes(functions, functions.example), _shapes(functions, other)
    sides = {
        HEIGHT: (now[FRAME][2], then[FRAME][2]),
        WIDTH: (now[FRAME][3], then[FRAME][3]),
    }
    return {
        name: {
            axis: _side(name, axis, pair, sides)
            for axis, pair in enumerate(zip(now[name], then[name], strict=True))
            if pair[0] != pair[1]
        }
        for name in now
    }


def _side(name: str, axis: int, pair: tuple[int, int], sides: Mapping[str, tuple[int, int]]) -> str:
    for side, (now, then) in sides.items():
        part = now // pair[0]
        if part and (pair[0] * part, pair[1] * part) == (now, then):
            return side if part == 1 else f"{side}/{part}"
    return f"{name}:{axis}"


@torch.no_grad()
def _shapes(functions: DeltaFunctions, frame: Tensor) -> Shapes:
    """Shapes by name of the frame and of what a key frame returns."""
    height, width = frame.shape[-2:]
    with last_call() as call:
        try:
            made = functions.key(frame)
            functions.delta(frame, *made[len(functions.outputs) :])
        except Exception as error:  # whatever a network of anybody's own says of a size
            raise ExportError(
                f"the network takes no frames of {height}×{width}: {call.said()}: {_first_line(error)}; "
                "leave any_size out, or let the layer compute with the size that it gets"
            ) from error
    names = (FRAME, *functions.outputs, *functions.maps)
    return {name: tuple(tensor.shape) for name, tensor in zip(names, (frame, *made), strict=True)}


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


@torch.no_grad()
def require_the_same(
    graphs: Graphs, functions: DeltaFunctions, other: Tensor, *, axes: Mapping[str, Axes]
) -> None:
    """See that graphs say of a frame of another size what the functions say.

    Raises ExportError, with operator and layer where a graph traced with such a frame is another one.
    """
    made = functions.key(other)
    maps = made[len(functions.outputs) :]
    elsewhere = replace(functions, example=other, maps=dict(zip(functions.maps, maps, strict=True)))
    with TemporaryDirectory(prefix="deltadistill-") as folder:
        traced = graphs_of(elsewhere, Path(folder), axes=axes)
        for name, path in graphs.onnx.items():
            one, twin = (onnx.load(each).graph for each in (path, traced.onnx[name]))
            if node := next(_differing(one, twin), None):
                raise ExportError(
                    f"the operator {node.op_type} of {_layer(node.name, functions)} takes the size of the "
                    "example for granted; leave any_size out, or let it compute with the shape of the tensor "
                    "that it gets, not with numbers taken from it by int()"
                )
    _require_answers(graphs, functions, other)


def _layer(node: str, functions: DeltaFunctions) -> str:
    """The layer that a node belongs to by its name, in words."""
    modules, at = module_paths(functions), node.rpartition("/")[0]
    while at and at not in modules:
        at = at.rpartition("/")[0]
    names = {module: name for name, module in functions.frame.named_modules()}
    name = names[modules[at]].partition("whole.network.")[2] if at else ""
    return f"layer {name!r}" if name else "the network itself"


def _differing(one: Any, other: Any) -> Iterator[Any]:
    """Nodes of a graph that differ, or that read a constant that does, from those in their place."""
    values, others = _constants(one), _constants(other)
    for node, twin in zip(one.node, other.node, strict=False):
        if node.op_type == "Constant" and twin.op_type == "Constant":
            continue
        same = node.op_type == twin.op_type and list(node.attribute) == list(twin.attribute)
        pairs = zip(node.input, twin.input, strict=False)
        if not same or any(values.get(a) != others.get(b) for a, b in pairs):
            yield node
    if len(one.node) != len(other.node):
        yield (one if len(one.node) > len(other.node) else other).node[-1]


def _constants(graph: Any) -> dict[str, bytes]:
    found = {each.name: onnx.numpy_helper.to_array(each).tobytes() for each in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            found[node.output[0]] = node.attribute[0].SerializeToString()
    return found


def _require_answers(graphs: Graphs, functions: DeltaFunctions, frame: Tensor) -> None:
    """Raise ExportError where graphs say something else of a frame of another size than the functions do."""
    session = open_session(graphs, "onnxruntime", threads=1)
    outputs, maps = session.key(frame.numpy())
    later = session.delta(frame.flip(-1).numpy(), maps)
    made = functions.key(frame)
    count = len(functions.outputs)
    expected = (*made[:count], *functions.delta(frame.flip(-1), *made[count:]))
    for name, one, other in zip(functions.outputs * 2, (*outputs, *later), expected, strict=True):
        largest = float(other.abs().max()) if other.numel() else 0.0
        if one.shape != tuple(other.shape) or not np.allclose(
            one, other.numpy(), rtol=1e-3, atol=1e-3 * largest + 1e-12
        ):
            raise ExportError(
                f"the graphs give another {name!r} than the network for frames of "
                f"{frame.shape[-2]}×{frame.shape[-1]}: something in it hangs on the size of the example; "
                "leave any_size out"
            )
