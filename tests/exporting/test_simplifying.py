"""Pads and changes of size in other forms: graphs compute the same, and what has no such form stays."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.exporting.functions import delta_functions
from deltadistill.exporting.onnx_graphs import write_graphs


class Step(nn.Module):
    """A convolution, and something before another one."""

    def __init__(self, step, **second):
        super().__init__()
        self.first, self.step = nn.Conv2d(3, 8, 3, padding=1), step
        self.second = nn.Conv2d(8, 6, 3, **second)

    def forward(self, x):
        return self.second(self.step(torch.relu(self.first(x))))


def graphs_of(network, folder, shape=(1, 3, 16, 24)):
    """The graphs of a network whose every convolution is compressed; they compute what its functions do."""
    torch.manual_seed(0)
    converted = dd.convert(
        network.eval(), dd.LinearStudent(gamma=2, keep_dearer=True), where=dd.all_convolutions
    )
    for block in delta_blocks(converted).values():
        block.decide("compressed")
    key, later = torch.randn(2, *shape)
    functions = delta_functions(converted, key)
    paths = write_graphs(functions, folder)
    made = functions.key(key)
    maps = made[len(functions.outputs) :]
    agree(paths["frame"], [key], functions.frame(key))
    agree(paths["key"], [key], made)
    agree(paths["delta"], [later, *maps], functions.delta(later, *maps))
    return {name: onnx.load(path).graph for name, path in paths.items()}


def agree(path, inputs, expected):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    found = session.run(None, {name: value.numpy() for name, value in zip(names, inputs, strict=True)})
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other.numpy(), rtol=1e-4, atol=1e-5)


def attribute(node, name):
    return next(onnx.helper.get_attribute_value(each) for each in node.attribute if each.name == name)


def count(graphs, kind) -> list[int]:
    return [sum(node.op_type == kind for node in graph.node) for graph in graphs.values()]


@pytest.mark.parametrize("second", [{}, {"stride": 2}, {"padding": 1}, {"dilation": 2}], ids=str)
def test_pads_of_zeros_are_the_convolutions(tmp_path, second):
    graphs = graphs_of(Step(lambda x: F.pad(x, (1, 2, 3, 0)), **second), tmp_path)
    assert count(graphs, "Pad") == [0, 0, 0]
    factor, last = [node for node in graphs["delta"].node if node.op_type == "Conv"][-2:]
    pads = [attribute(node, "pads") for node in (factor, last)]
    own = second.get("padding", 0)
    assert pads == [[3 + own, 0, own, 0], [0, 1 + own, 0, 2 + own]]  # above and left, below and right


def test_pads_of_the_lowest_value_are_a_pools(tmp_path):
    pooled = Step(lambda x: F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=float("-inf")), 3, 2))
    graphs = graphs_of(pooled, tmp_path)
    assert count(graphs, "Pad") == [0, 0, 0]
    assert count(graphs, "MaxPool") == [1, 1, 1]


@pytest.mark.parametrize(
    "step",
    [
        lambda x: F.max_pool2d(F.pad(x - 1, (0, 1, 0, 1)), 3, 2),  # its zeros are larger than what is there
        lambda x: F.pad(x, (1, 1, 1, 1), value=1.0),
        lambda x: F.pad(x, (1, 1, 1, 1), mode="reflect"),
        lambda x: F.pad(x, (-1, 1, 0, 0)),
        lambda x: torch.sigmoid(F.pad(x, (1, 1, 1, 1))),
        lambda x: F.pad(x, (0, 0, 0, 0, 0, 2))[:, 1:9],  # of channels
    ],
)
def test_other_pads_stay(tmp_path, step):
    assert count(graphs_of(Step(step), tmp_path), "Pad") == [1, 1, 1]


HALF = {"mode": "bilinear", "align_corners": False}


@pytest.mark.parametrize("to", [{"scale_factor": 0.5}, {"size": (8, 12)}], ids=str)
def test_half_the_size_is_a_pool_of_means(tmp_path, to):
    graphs = graphs_of(Step(lambda x: F.interpolate(x, **to, **HALF)), tmp_path)
    assert count(graphs, "Resize") == [0, 0, 0]
    assert count(graphs, "AveragePool") == [1, 1, 1]


@pytest.mark.parametrize(
    "step",
    [
        lambda x: F.interpolate(x, scale_factor=0.5, mode="nearest"),
        lambda x: F.interpolate(x, size=(8, 12), mode="bilinear", align_corners=True),
        lambda x: F.interpolate(x, size=(8, 11), **HALF),
        lambda x: F.interpolate(x[:, :, :15], scale_factor=0.5, **HALF),  # odd: its last row counts for less
    ],
)
def test_other_changes_of_size_stay(tmp_path, step):
    assert count(graphs_of(Step(step), tmp_path), "Resize") == [1, 1, 1]


def test_enlarged_maps_are_placed_as_engines_know_it(tmp_path):
    graphs = graphs_of(Step(lambda x: F.interpolate(x, scale_factor=2, **HALF)), tmp_path)
    for graph in graphs.values():
        (node,) = (node for node in graph.node if node.op_type == "Resize")
        assert attribute(node, "coordinate_transformation_mode") == b"half_pixel"


def test_what_a_pad_was_computed_from_is_gone_too(tmp_path):
    graphs = graphs_of(Step(lambda x: F.pad(x, (1, 1, 1, 1))), tmp_path)
    for graph in graphs.values():
        assert {node.op_type for node in graph.node} <= {"Conv", "Relu", "Add", "Constant"}
        read = {name for node in graph.node for name in node.input}
        constants = {node.output[0] for node in graph.node if node.op_type == "Constant"}
        assert constants | {tensor.name for tensor in graph.initializer} <= read
