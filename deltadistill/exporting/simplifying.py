"""A graph's operators in the forms that engines compute fast; what comes out is the same up to rounding."""

from pathlib import Path
from typing import Any

import onnx

from deltadistill.exporting.pads import fold_pads
from deltadistill.exporting.resizes import simplify_resizes


def simplify(path: Path) -> int:
    """Write pads and changes of size of a graph's file in other forms, in place; return how many."""
    model = onnx.load(path)
    count = fold_pads(model.graph)
    if count:
        _drop_unread(model.graph)
    count += simplify_resizes(model)
    if count:
        _drop_unread(model.graph)
        onnx.checker.check_model(model)
        onnx.save(model, path)
    return count


def _drop_unread(graph: Any) -> None:
    """Take out what nothing reads any longer: the numbers that pads and sizes were computed from."""
    read = {each.name for each in graph.output}
    for node in reversed(list(graph.node)):
        if read.isdisjoint(node.output):
            graph.node.remove(node)
        else:
            read.update(node.input)
    for tensor in [each for each in graph.initializer if each.name not in read]:
        graph.initializer.remove(tensor)
    del graph.value_info[:]  # of tensors that may be gone, or of other sizes now
