"""Maps in the order that ONNX Runtime's convolutions use, so that none is reordered on the way in or out.

On x86 its convolutions keep channels in blocks (NCHWc). A map that leaves the key graph is turned into plain
order, turned back on every delta frame, and its sum is not taken into the convolution before it: together as
dear as the students. Here both graphs are optimised by ONNX Runtime itself, and the reorders at the maps are
then taken out of what it made: the key graph writes a map as it lies, the delta graph's convolution adds it.
The blocked map has the shape of the plain one, or further channels that fill its last block
(whole_blocks.py). What comes out is compared with the plain graphs before it is used, and is the same up to
rounding.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from deltadistill.runtime.graphs import Graphs
from deltadistill.runtime.whole_blocks import cut_off, fill_blocks, is_worth_filling

_log = logging.getLogger(__name__)

_NOTE = "deltadistill.blocks"

Optimise = Callable[[bytes, Path], None]
"""Optimise a graph for this machine, and write what came out to a path."""


def blocked_graphs(graphs: Graphs, optimise: Optimise) -> dict[str, bytes]:
    """Key and delta graph, optimised, that hand over blocked maps; nothing where that cannot be.

    It cannot without the package onnx, and where no map lies in blocks, as on other processors.
    """
    if not graphs.maps or find_spec("onnx") is None:
        return {}
    with TemporaryDirectory(prefix="deltadistill-") as place:
        folder = Path(place)
        block = _block(optimise, folder)
        whole, odd = _by_blocks(graphs, block)
        maps = whole | set(odd)
        while maps:
            pair, kept = _optimised(graphs, maps, odd, block, optimise, folder)
            if kept == maps:
                _note(pair["delta"], maps, block)
                return {name: model.SerializeToString() for name, model in pair.items()}
            maps = kept  # once more with these alone: each must lie alike on both sides
    return {}


def _note(model: Any, maps: set[str], block: int) -> None:
    """Have a graph itself say which of its maps lie in blocks, for who looks into them (`blocks_of`)."""
    from onnx import helper

    helper.set_model_props(model, {_NOTE: json.dumps({"maps": sorted(maps), "block": block})})


def blocks_of(session: Any) -> tuple[set[str], int]:
    """Names of the maps that a loaded delta graph takes in blocks, and the channels of one; else none, 1."""
    note = session.get_modelmeta().custom_metadata_map.get(_NOTE)
    if note is None:
        return set(), 1
    said = json.loads(note)
    return set(said["maps"]), said["block"]


def _by_blocks(graphs: Graphs, block: int) -> tuple[set[str], dict[str, int]]:
    """Maps whose channels fill blocks, and those that a few more would make so, with their channels."""
    channels = {
        each.name: each.shape[1]
        for each in graphs.maps
        if block and len(each.shape) == 4 and isinstance(each.shape[1], int)
    }
    whole = {name for name, count in channels.items() if count % block == 0}
    return whole, {name: count for name, count in channels.items() if is_worth_filling(count, block)}


def _optimised(
    graphs: Graphs, maps: set[str], odd: Mapping[str, int], block: int, optimise: Optimise, folder: Path
) -> tuple[dict[str, Any], set[str]]:
    """Key and delta graph with these maps in blocks, and the names of those that lie alike on both sides."""
    import onnx

    pair = {name: onnx.load(graphs.onnx[name]) for name in ("key", "delta")}
    slope = _slope_of(*pair.values())
    odd = {name: count for name, count in odd.items() if name in maps}
    filled = fill_blocks([model.graph for model in pair.values()], odd, block)
    maps = maps - set(odd) | filled.maps
    _put_pools_behind(pair["delta"], maps)
    for name, model in pair.items():
        if slope is not None:
            _let_rectifiers_stand_in(model)
        path = folder / f"{name}.onnx"
        optimise(model.SerializeToString(), path)
        pair[name] = onnx.load(path)
        if slope is not None:
            _put_slope_back(pair[name], slope)
    kept = _without_reorders_of_outputs(pair["key"], maps)
    kept &= _without_reorders_of_inputs(pair["delta"], maps)
    for model in pair.values():
        kept -= cut_off(model.graph, filled)
    return pair, kept


def _block(optimise: Optimise, folder: Path) -> int:
    """Channels in a block: to how many the optimiser fills up one; 0 where it makes no blocks."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = numpy_helper.from_array(np.ones((4, 3, 1, 1), np.float32), "w")
    ends = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, n, 4, 4])
        for name, n in (("x", 3), ("y", 4))
    )
    x, y = ends
    graph = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["y"])], "probe", [x], [y], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = folder / "probe.onnx"
    optimise(model.SerializeToString(), path)
    made = onnx.load(path).graph
    if not any(node.op_type == "ReorderOutput" for node in made.node):
        return 0
    (filled,) = (tensor.dims[0] for tensor in made.initializer if len(tensor.dims) == 4)
    return int(filled)


def _put_pools_behind(model: Any, maps: set[str]) -> None:
    """Put a pool of 1×1 behind each map: the optimiser keeps pools in blocks, and what reads them too."""
    from onnx import helper

    pools = []
    for name in sorted(maps):
        pooled = f"{name}/pooled"
        for node in model.graph.node:
            node.input[:] = [pooled if each == name else each for each in node.input]
        pools.append(
            helper.make_node("MaxPool", [name], [pooled], f"{name}/pool", kernel_shape=[1, 1], strides=[1, 1])
        )
    nodes = [*pools, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _without_reorders_of_outputs(model: Any, maps: set[str]) -> set[str]:
    """Let the key graph write maps as they lie; return the names of those."""
    nodes = model.graph.node
    found = {node.output[0]: node for node in nodes if node.op_type == "ReorderOutput"}
    for name in maps & set(found):
        inner = found[name].input[0]
        nodes.remove(found[name])
        for node in nodes:
            node.input[:] = [name if each == inner else each for each in node.input]
            node.output[:] = [name if each == inner else each for each in node.output]
    return maps & set(found)


def _without_reorders_of_inputs(model: Any, maps: set[str]) -> set[str]:
    """Let the delta graph read maps as they lie; return the names of those."""
    nodes = model.graph.node
    found = {node.input[0]: node for node in nodes if node.op_type == "ReorderInput"}
    taken = set()
    for name in maps & set(found):
        readers = [node for node in nodes if found[name].output[0] in node.input]
        if len(readers) != 1 or readers[0].op_type != "MaxPool":
            continue
        (pool,) = readers
        for node in nodes:
            node.input[:] = [name if each == pool.output[0] else each for each in node.input]
        nodes.remove(found[name])
        nodes.remove(pool)
        taken.add(name)
    return taken


def _slope_of(*models: Any) -> float | None:
    """The one slope of all leaky rectifiers of graphs that have no other rectifier; else None.

    The optimiser takes a rectifier behind a sum into the convolution, but not a leaky one, which its
    convolutions can compute all the same.
    """
    nodes = [node for model in models for node in model.graph.node]
    if any(node.op_type == "Relu" for node in nodes):
        return None
    slopes = {
        next((each.f for each in node.attribute if each.name == "alpha"), 0.01)
        for node in nodes
        if node.op_type == "LeakyRelu"
    }
    return slopes.pop() if len(slopes) == 1 else None


def _let_rectifiers_stand_in(model: Any) -> None:
    for node in model.graph.node:
        if node.op_type == "LeakyRelu":
            node.op_type = "Relu"
            del node.attribute[:]


def _put_slope_back(model: Any, slope: float) -> None:
    from onnx import helper

    for node in model.graph.node:
        if node.op_type == "Relu":
            node.op_type = "LeakyRelu"
            node.attribute.append(helper.make_attribute("alpha", slope))
        for each in node.attribute:
            if each.name == "activation" and each.s == b"Relu":
                each.s = b"LeakyRelu"
                node.attribute.append(helper.make_attribute("activation_params", [slope]))
                break


def agree(plain: Sequence[Any], blocked: Sequence[Any]) -> bool:
    """Whether outputs are the same up to the rounding of another order of sums."""
    import numpy as np

    return all(
        np.allclose(a, b, rtol=1e-3, atol=1e-4 * float(np.abs(a).max(initial=0)) + 1e-12)
        for a, b in zip(plain, blocked, strict=True)
    )
