"""Values in an ONNX graph that are known before it runs: weights, and what is computed from such alone."""

from typing import Any

import numpy as np

_MOST_NODES = 50  # of those that a value is computed from: sizes take a dozen


class KnownValues:
    """Values by their name in a graph, which is not changed meanwhile."""

    def __init__(self, graph: Any):
        self._given = {tensor.name: tensor for tensor in graph.initializer}
        self._made_by = {output: node for node in graph.node for output in node.output}

    def find(self, name: str) -> np.ndarray | None:
        """The value; None for one that depends on what the graph is given."""
        from onnx import numpy_helper
        from onnx.reference import ReferenceEvaluator

        if name in self._given:
            return numpy_helper.to_array(self._given[name])
        nodes = self._nodes_before(name)
        if nodes is None:
            return None
        (value,) = ReferenceEvaluator(self._model(nodes, name)).run(None, {})
        return np.asarray(value)

    def _nodes_before(self, name: str) -> list[Any] | None:
        """The nodes that a value is computed from, in order; None where something else is needed."""
        found: dict[int, Any] = {}
        if not self._collect(name, found):
            return None
        return list(found.values())

    def _collect(self, name: str, found: dict[int, Any]) -> bool:
        if not name or name in self._given:
            return True
        node = self._made_by.get(name)
        if node is None or len(found) > _MOST_NODES:
            return False
        if id(node) in found:
            return True
        if not all(self._collect(each, found) for each in node.input):
            return False
        found[id(node)] = node
        return True

    def _model(self, nodes: list[Any], name: str) -> Any:
        from onnx import helper

        read = {each for node in nodes for each in node.input}
        given = [tensor for each, tensor in self._given.items() if each in read]
        end = helper.make_empty_tensor_value_info(name)
        graph = helper.make_graph(nodes, "known", [], [end], given)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
