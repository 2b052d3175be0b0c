"""Which block a part of a graph belongs to, by the names that the exporter and the engines give.

The tracing exporter names a node after the modules that are running: /network/layer1/layer1.0/conv1/….
Engines compute several nodes in one go, under the name of the first or of the last of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from deltadistill.blocks.delta import DeltaBlock
from deltadistill.exporting.functions import DeltaFunctions
from deltadistill.exporting.hooks import hooked
from deltadistill.runtime.node_times import NodeTime

_KNOWN_BEFOREHAND = ("Constant", "Identity")  # computed when the graph is loaded


def block_paths(functions: DeltaFunctions) -> dict[str, str]:
    """Names of the blocks by what the names of their nodes begin with, of all blocks that a frame runs."""
    paths = module_paths(functions)
    return {path: module.name for path, module in paths.items() if isinstance(module, DeltaBlock)}


@torch.no_grad()
def module_paths(functions: DeltaFunctions) -> dict[str, nn.Module]:
    """The modules that a frame runs, by what the names of their nodes begin with."""
    modules = {module: name for name, module in functions.frame.named_modules() if name}
    inside: list[str] = []
    found: dict[str, nn.Module] = {}

    def enter(module: nn.Module, _: Any, __: Any) -> None:
        inside.append(_component(modules[module]))
        found["/" + "/".join(inside)] = module

    def leave(module: nn.Module, _: Any, __: Any) -> None:
        inside.pop()

    with hooked(modules, enter=enter, leave=leave):
        functions.frame(functions.example)
    return found


def _component(name: str) -> str:
    """How the exporter names a module within its parent: its last name, with what its number counts."""
    parts = name.split(".")
    first = len(parts) - 1
    while first and parts[first].isdigit():
        first -= 1
    return ".".join(parts[first:])


class Owners:
    """Whose time a node's is: a block's by name, or None for what is not converted.

    What an engine of the per-frame network computes together with a block's layer, such as the rectifier
    behind it, belongs to the block also where the students' graphs compute it by itself.
    paths: see `block_paths`. maps: names of maps. frame: the per-frame network's graph, and its times.
    """

    def __init__(self, paths: Mapping[str, str], maps: Iterable[str], frame: Path, times: Sequence[NodeTime]):
        self._paths = paths
        self._maps = {name: name.rpartition(".")[0].partition("#")[0] for name in maps}
        self._others = self._of_others(frame, times)

    def of(self, node: NodeTime) -> str | None:
        """The block that a time belongs to."""
        found = (self._block(name) or self._others.get(name) for name in node.names)
        return next((block for block in found if block), None)

    def _block(self, name: str) -> str | None:
        """The block whose node or map has this name; of blocks inside one another there are none."""
        if name in self._maps:
            return self._maps[name]
        parts = name.split("/")
        paths = ("/".join(parts[:end]) for end in range(len(parts) - 1, 1, -1))
        return next((self._paths[path] for path in paths if path in self._paths), None)

    def _of_others(self, frame: Path, times: Sequence[NodeTime]) -> dict[str, str | None]:
        """Blocks of what lies outside of them in the per-frame graph, by the names of nodes and tensors."""
        import onnx

        told = self._told(times)
        owners: dict[str, str | None] = {}
        places: dict[str, int] = {}  # of the node that makes a tensor
        nodes = onnx.load(frame, load_external_data=False).graph.node
        for place, node in enumerate(nodes):
            before = [nodes[each] for each in sorted(places[name] for name in node.input if name in places)]
            owner = self._block(node.name) or told.get(node.name) or _last(before, node, told, owners)
            owners |= dict.fromkeys((node.name, *node.output), owner)
            if node.op_type not in _KNOWN_BEFOREHAND:
                places |= dict.fromkeys(node.output, place)
        return owners

    def _told(self, times: Sequence[NodeTime]) -> dict[str, str | None]:
        """Names that the engine tells, with the block among those that it computes in the same go."""
        found: dict[str, str | None] = {}
        for time in times:
            block = next((block for name in time.names if (block := self._block(name))), None)
            found |= dict.fromkeys(time.names, block)
        return found


def _last(
    before: list[Any], node: Any, told: Mapping[str, str | None], owners: Mapping[str, str | None]
) -> str | None:
    """The owner of what a node was computed together with: the last of those before it.

    A node that the engine tells of by itself goes with those alone that it does not tell of.
    """
    if _is_told(node, told):
        before = [each for each in before if not _is_told(each, told)]
    return owners[before[-1].name] if before else None


def _is_told(node: Any, told: Mapping[str, str | None]) -> bool:
    return node.name in told or any(output in told for output in node.output)
