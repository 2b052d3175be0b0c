"""Graphs compute what the functions compute; what has no graph is named by operator and layer."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from architectures import ARCHITECTURES, build
from torch import nn

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.exporting.functions import delta_functions
from deltadistill.exporting.onnx_graphs import ExportError, write_graphs
from deltadistill.exporting.sums import regroup_sums

DEAR = dd.LinearStudent(gamma=2, keep_dearer=True)


def converted(network: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    network = dd.convert(network.eval(), DEAR, where=dd.all_convolutions)
    for block in delta_blocks(network).values():
        block.decide("compressed")
    return network


def run(path, *inputs):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    given = {name: value.numpy() for name, value in zip(names, inputs, strict=True)}
    return session.run(None, given)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_each_graph_is_its_function(architecture, tmp_path):
    key, later = torch.rand(2, 1, 3, 32, 64)
    functions = delta_functions(converted(build(architecture)), key)
    paths = write_graphs(functions, tmp_path)
    made = functions.key(key)
    maps = made[len(functions.outputs) :]
    pairs = [
        (run(paths["frame"], key), functions.frame(key)),
        (run(paths["key"], key), made),
        (run(paths["delta"], later, *maps), functions.delta(later, *maps)),
    ]
    for found, expected in pairs:
        for one, other in zip(found, expected, strict=True):
            largest = float(other.abs().max())
            np.testing.assert_allclose(one, other.numpy(), rtol=0, atol=1e-5 * largest)


class Transformed(nn.Module):
    def forward(self, x):
        return torch.fft.rfft2(x).real


def test_an_operator_without_a_graph_is_named_with_its_layer_and_nothing_is_written(tmp_path, capsys):
    network = nn.Sequential()
    network.add_module("conv", nn.Conv2d(3, 3, 3))
    network.add_module("spectrum", Transformed())
    with pytest.raises(
        ExportError, match=r"operator aten::fft_rfft2 of layer 'spectrum' has no form in ONNX"
    ):
        dd.export(converted(network), tmp_path / "runner", example=torch.rand(1, 3, 16, 16))
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", "")


def test_an_error_leaves_the_runner_that_was_there(tmp_path):
    folder = tmp_path / "runner"
    dd.export(converted(nn.Sequential(nn.Conv2d(3, 4, 3))), folder, example=torch.rand(1, 3, 16, 16))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    network = converted(nn.Sequential(nn.Conv2d(3, 3, 3), Transformed()))
    with pytest.raises(ExportError):
        dd.export(network, folder, example=torch.rand(1, 3, 16, 16))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def graph_of(*nodes: tuple[str, list[str], str], outputs: list[str]):
    """A graph of maps 1×2×3×3; every name that none of its nodes makes is an input."""
    weight = onnx.numpy_helper.from_array(np.eye(2, dtype=np.float32)[:, :, None, None], "w")
    made = {output for _, _, output in nodes}
    given = sorted({name for _, inputs, _ in nodes for name in inputs} - made)
    form = {"elem_type": onnx.TensorProto.FLOAT, "shape": [1, 2, 3, 3]}
    values = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node(kind, [*inputs, "w"] if kind == "Conv" else inputs, [output])
            for kind, inputs, output in nodes
        ],
        "sums",
        [values(name, **form) for name in given],
        [values(name, **form) for name in outputs],
        [weight],
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)


RESIDUAL = [("Conv", ["x"], "g"), ("Add", ["g", "c"], "z"), ("Add", ["z", "shortcut"], "y")]


@pytest.mark.parametrize("turned", [False, True])
def test_a_residual_sum_is_regrouped_so_that_the_convolution_comes_last(tmp_path, turned):
    nodes = [(kind, inputs[::-1] if turned else inputs, output) for kind, inputs, output in RESIDUAL]
    path = tmp_path / "graph.onnx"
    onnx.save(graph_of(*nodes, outputs=["y"]), path)
    inputs = [torch.rand(1, 2, 3, 3) for _ in range(3)]
    (expected,) = run(path, *inputs)
    assert regroup_sums(path) == 1
    first, last = (node for node in onnx.load(path).graph.node if node.op_type == "Add")
    assert set(first.input) == {"c", "shortcut"}
    assert set(last.input) == {"g", first.output[0]}
    np.testing.assert_allclose(run(path, *inputs)[0], expected, rtol=1e-6)


def test_two_convolutions_with_their_maps_become_one_chain(tmp_path):
    path = tmp_path / "graph.onnx"
    nodes = [
        ("Conv", ["x"], "g1"),
        ("Add", ["g1", "c1"], "z1"),
        ("Conv", ["v"], "g2"),
        ("Add", ["g2", "c2"], "z2"),
        ("Add", ["z1", "z2"], "y"),
    ]
    onnx.save(graph_of(*nodes, outputs=["y"]), path)
    inputs = [torch.rand(1, 2, 3, 3) for _ in range(4)]
    (expected,) = run(path, *inputs)
    assert regroup_sums(path) == 2  # g1 + (g2 + (c1 + c2))
    np.testing.assert_allclose(run(path, *inputs)[0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("nodes", "outputs"),
    [
        (RESIDUAL, ["y", "z"]),  # the first sum is read by whoever runs the graph
        ([*RESIDUAL, ("Relu", ["z"], "r")], ["y", "r"]),
        ([*RESIDUAL, ("Relu", ["g"], "r")], ["y", "r"]),  # and so is the convolution
        ([("Conv", ["x"], "g"), ("Add", ["g", "c"], "z"), ("Add", ["z", "z"], "y")], ["y"]),
        ([("Relu", ["x"], "g"), ("Add", ["g", "c"], "z"), ("Add", ["z", "shortcut"], "y")], ["y"]),
    ],
)
def test_sums_that_others_read_or_that_no_convolution_makes_stay(tmp_path, nodes, outputs):
    path = tmp_path / "graph.onnx"
    onnx.save(graph_of(*nodes, outputs=outputs), path)
    before = path.read_bytes()
    assert regroup_sums(path) == 0
    assert path.read_bytes() == before
