"""Changes of size written in the form that engines compute in their own order of channels.

By bilinear interpolation a map of half the size has the means of 2×2 values: a pool. PyTorch's way to place
the values of an enlarged map is the common one where that has more than one row and column.
"""

from typing import Any

import onnx
from onnx import helper

_HALVES = ("half_pixel", "pytorch_half_pixel")
_PLAIN = {"mode": b"linear", "antialias": 0, "exclude_outside": 0}

Shapes = dict[str, list[int]]


def simplify_resizes(model: Any) -> int:
    """Write changes of size of an ONNX model so where they can be, in place; return how many were."""
    graph = model.graph
    if not any(node.op_type == "Resize" for node in graph.node):
        return 0
    shapes = _shapes(model)
    return sum(_simplify(node, shapes) for node in graph.node)


def _simplify(node: Any, shapes: Shapes) -> bool:
    if node.op_type != "Resize" or not _is_bilinear(node):
        return False
    before, after = (shapes.get(name, []) for name in (node.input[0], node.output[0]))
    if len(before) != 4 or len(after) != 4 or min(before[2:]) < 1 or min(after[2:]) < 2:
        return False
    if before[2:] == [2 * side for side in after[2:]]:
        _make_pool(node)
        return True
    return _place_commonly(node)


def _is_bilinear(node: Any) -> bool:
    found = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    way = found.get("coordinate_transformation_mode", b"half_pixel").decode()
    return way in _HALVES and all(found.get(name, 0) == value for name, value in _PLAIN.items())


def _make_pool(node: Any) -> None:
    node.op_type = "AveragePool"
    del node.input[1:]
    del node.attribute[:]
    node.attribute.extend(
        [helper.make_attribute("kernel_shape", [2, 2]), helper.make_attribute("strides", [2, 2])]
    )


def _place_commonly(node: Any) -> bool:
    for each in node.attribute:
        if each.name == "coordinate_transformation_mode" and each.s != b"half_pixel":
            each.s = b"half_pixel"
            return True
    return False


def _shapes(model: Any) -> Shapes:
    """Shapes by name; 0 for sizes that are not known."""
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    found = {}
    for each in (*inferred.input, *inferred.value_info, *inferred.output):
        found[each.name] = [side.dim_value for side in each.type.tensor_type.shape.dim]
    return found
