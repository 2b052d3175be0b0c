"""ONNX files as networks: as exporters write them, equal to ONNX Runtime, and what cannot be read by name."""

import numpy as np
import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill import models
from deltadistill.models.onnx_graph import prepare, unread_operators

onnx = pytest.importorskip("onnx", reason="an optional package")
CONVERTER = "onnx2pytorch"


def test_a_shared_bias_is_read_by_the_layers_themselves_and_names_become_names_of_modules():
    graph = graph_of(
        [
            ("Identity", ["b"], ["/a/b.1"]),
            ("Conv", ["x", "w", "/a/b.1"], ["/a/y"]),
            ("Relu", ["/a/y"], ["out"]),
        ]
    )
    prepare(graph)
    assert [(node.op_type, list(node.input), list(node.output)) for node in graph.node] == [
        ("Conv", ["x", "w", "b"], ["a_y"]),
        ("Relu", ["a_y"], ["out"]),
    ]
    assert [value.name for value in graph.output] == ["out"]


def test_two_values_never_get_one_name():
    graph = graph_of([("Relu", ["x"], ["/a/b"]), ("Relu", ["/a/b"], ["/a.b"]), ("Relu", ["/a.b"], ["out"])])
    prepare(graph)
    assert [list(node.output) for node in graph.node] == [["a_b"], ["a_b_2"], ["out"]]
    assert [list(node.input) for node in graph.node] == [["x"], ["a_b"], ["a_b_2"]]


def test_every_kind_of_operator_that_is_refused_is_named_once():
    graph = graph_of(
        [("Odd", ["x"], ["a"]), ("Relu", ["a"], ["b"]), ("Odd", ["b"], ["c"]), ("Rare", ["c"], ["out"])]
    )

    def convert(part):
        if part.node[0].op_type != "Relu":
            raise NotImplementedError(f"no {part.node[0].op_type}")

    assert unread_operators(graph, convert) == "2 Odd (no Odd); 1 Rare (no Rare)"


def test_what_the_exporter_of_torch_writes_comes_back_converts_and_streams(tmp_path):
    pytest.importorskip(CONVERTER, reason="an optional package")
    pytest.importorskip("onnxruntime", reason="an optional package")
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Hardswish(), nn.Conv2d(8, 8, 3, padding=1),
        nn.AdaptiveAvgPool2d(4), nn.Conv2d(8, 4, 1),
    ).eval()  # fmt: skip
    path, frames = tmp_path / "net.onnx", torch.rand(1, 3, 16, 16)
    content = written_by_hand(network)
    onnx.save(content, path)
    found = models.build(str(path), classes=4)
    torch.testing.assert_close(found(frames), network(frames), rtol=1e-4, atol=1e-5)
    delta = dd.convert(found, dd.LinearStudent(), dd.inner_convolutions, example=frames)
    assert [row.name for row in dd.conversion_report(delta) if row.converted] == ["Conv_net_y_3"]
    assert dd.Stream(delta, period=2)(frames).shape == (1, 4, 4, 4)
    assert dd.count_macs(delta, (3, 16, 16)).teacher == 16 * 16 * (8 * 27 + 8 * 72) + 16 * 32


def test_an_operator_that_cannot_be_read_is_named(tmp_path):
    pytest.importorskip(CONVERTER, reason="an optional package")
    content = onnx.helper.make_model(graph_of([("Relu", ["x"], ["a"]), ("NoSuchOperator", ["a"], ["out"])]))
    onnx.save(content, tmp_path / "net.onnx")
    with pytest.raises(ValueError, match=r"these operators cannot be read: 1 NoSuchOperator \(.*\); export"):
        models.build(str(tmp_path / "net.onnx"), classes=4)


def test_a_network_that_gives_something_else_than_onnx_runtime_is_refused(tmp_path, monkeypatch):
    pytest.importorskip(CONVERTER, reason="an optional package")
    pytest.importorskip("onnxruntime", reason="an optional package")
    network = nn.Sequential(nn.Conv2d(3, 4, 1)).eval()
    onnx.save(written_by_hand(network), tmp_path / "net.onnx")
    assert models.build(str(tmp_path / "net.onnx"), classes=4)(torch.ones(1, 3, 8, 8)).shape == (1, 4, 8, 8)
    import onnx2pytorch

    class Wrong(onnx2pytorch.ConvertModel):
        def forward(self, frames):
            return super().forward(frames) * 1.01

    monkeypatch.setattr(onnx2pytorch, "ConvertModel", Wrong)
    with pytest.raises(ValueError, match=r"something else than in ONNX Runtime \(apart by 0\.01"):
        models.build(str(tmp_path / "net.onnx"), classes=4)


def graph_of(nodes, weights=(), *, inputs=("x",), outputs=("out",)):
    make, value = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    weights = dict(weights) or {"w": np.ones((4, 3, 1, 1)), "b": np.ones(4)}
    tensors = [onnx.numpy_helper.from_array(np.asarray(w, np.float32), name) for name, w in weights.items()]
    made = [make(kind, taken, given, **dict(*rest)) for kind, taken, given, *rest in nodes]
    axes = [["n", 3, "h", "w"], ["n", 4, "h", "w"]]
    kind = onnx.TensorProto.FLOAT
    ends = [
        [value(name, kind, axes[place]) for name in names] for place, names in enumerate((inputs, outputs))
    ]
    return onnx.helper.make_graph(made, "small", *ends, tensors)


def written_by_hand(network):
    """A sequential network as exporters write it: paths as names, biases through Identity."""
    nodes, weights, last = [], {}, "x"
    for place, layer in enumerate(network):
        name = f"/net/y.{place}" if place < len(network) - 1 else "out"
        if isinstance(layer, nn.Conv2d):
            weights |= {f"w{place}": layer.weight.detach(), f"b{place}": layer.bias.detach()}
            side = layer.padding[0]
            nodes.append(("Identity", [f"b{place}"], [f"/net/b.{place}"]))
            nodes.append(("Conv", [last, f"w{place}", f"/net/b.{place}"], [name], {"pads": [side] * 4}))
        elif isinstance(layer, nn.BatchNorm2d):
            parts = (layer.weight.detach(), layer.bias.detach(), layer.running_mean, layer.running_var)
            weights |= {f"n{place}{part}": value for part, value in enumerate(parts)}
            nodes.append(("BatchNormalization", [last, *(f"n{place}{part}" for part in range(4))], [name]))
        elif isinstance(layer, nn.Hardswish):
            nodes.append(("HardSwish", [last], [name]))
        else:
            kernel = {"kernel_shape": [4, 4], "strides": [4, 4]}
            nodes.append(("AveragePool", [last], [name], kernel))
        last = name
    graph = graph_of(nodes, {name: value.numpy() for name, value in weights.items()})
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
