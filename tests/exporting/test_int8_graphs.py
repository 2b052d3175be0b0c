"""Graphs in 8 bits: calibrated on key and delta frames as a stream has them, close, and asked for by name."""

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.exporting import int8_graphs
from deltadistill.runtime.proving import failures
from deltadistill.runtime.runner import graphs_in
from deltadistill.runtime.runner_file import read_description


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 8, 3, padding=1))
    network = dd.convert(plain.eval(), dd.LinearStudent(gamma=2, keep_dearer=True), where=dd.all_convolutions)
    for block in delta_blocks(network).values():
        block.decide("compressed")
    return network


@pytest.fixture(scope="module")
def clip():
    generator = torch.Generator().manual_seed(1)
    still = torch.rand(1, 3, 16, 24, generator=generator)
    return [still + 0.2 * torch.rand(1, 3, 16, 24, generator=generator) for _ in range(9)]


@pytest.fixture(scope="module")
def folder(network, clip, tmp_path_factory):
    place = tmp_path_factory.mktemp("int8") / "runner"
    dd.export(network, place, example=clip[0], period=4, calibration=clip)
    return place


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_answers_are_close_to_those_of_the_network(network, clip, folder, engine):
    pytest.importorskip(engine)
    runner, stream = (
        dd.Runner(folder, engine=engine, precision="int8", threads=1),
        dd.Stream(network, period=4),
    )
    expected = np.array([stream(frame).numpy() for frame in clip])
    made = np.array([runner(frame.numpy()) for frame in clip])
    error = np.abs(made - expected).max() / np.abs(expected).max()
    assert 0 < error < 0.1


def test_the_graphs_are_really_in_8_bits(folder):
    kinds = {node.op_type for node in onnx.load(folder / "delta.int8.onnx").graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds


class Joined(nn.Module):
    """As in DenseNets and pyramid pooling: a batch norm behind a concatenation, no convolution between."""

    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.norm, self.last = nn.BatchNorm2d(16), nn.Conv2d(16, 4, 1)

    def forward(self, x):
        x = self.one(x)
        return self.last(self.norm(torch.cat([x, self.other(torch.relu(x))], 1)))


def test_openvino_lives_through_a_batch_norm_behind_a_concatenation(tmp_path, engines_prove_themselves):
    pytest.importorskip("openvino")
    torch.manual_seed(0)
    example = torch.rand(1, 3, 32, 32)
    network = Joined().eval()
    for tensor in (network.norm.weight, network.norm.bias):
        nn.init.uniform_(tensor, 0.5, 2)
    dd.export(network, tmp_path / "runner", example=example, calibration=[example, 1 - example])
    graphs = graphs_in(tmp_path / "runner", read_description(tmp_path / "runner"))
    assert failures(graphs, [("openvino", "int8"), ("onnxruntime", "int8")], functions=("frame",)) == {}
    runner = dd.Runner(tmp_path / "runner", engine="openvino", precision="int8", threads=1)
    with torch.no_grad():
        expected = network(example).numpy()
    assert np.abs(runner(example.numpy()) - expected).max() < 0.1 * np.abs(expected).max()


def test_ranges_are_those_of_the_frames_that_each_function_gets(network, clip, tmp_path, monkeypatch):
    given = {}
    monkeypatch.setattr(
        int8_graphs, "_quantise", lambda path, to, inputs: given.update({path.stem: inputs}) or to.touch()
    )
    dd.export(network, tmp_path / "r", example=clip[0], period=4, calibration=clip)
    assert {name: len(inputs) for name, inputs in given.items()} == {"frame": 9, "key": 3, "delta": 6}
    assert np.array_equal(given["key"][1]["frame"], clip[4].numpy())
    assert np.array_equal(given["delta"][3]["frame"], clip[5].numpy())
    of_first, of_second = (given["delta"][number]["0.c_0"] for number in (2, 3))
    assert np.array_equal(of_first, given["delta"][0]["0.c_0"])
    assert not np.array_equal(of_first, of_second)  # of another key frame


def test_without_them_int8_is_refused_with_what_to_do(network, clip, tmp_path):
    dd.export(network, tmp_path / "r", example=clip[0])
    with pytest.raises(
        ValueError, match=r"no graphs in 8 bits: dd.export\(…, calibration=frames\) writes them"
    ):
        dd.Runner(tmp_path / "r", engine="onnxruntime", precision="int8")


@pytest.mark.parametrize(("count", "period"), [(1, 4), (5, 1)])
def test_a_video_without_a_delta_frame_is_refused(network, clip, tmp_path, count, period):
    with pytest.raises(ValueError, match="have no delta frame; give at least two frames"):
        dd.export(network, tmp_path / "r", example=clip[0], period=period, calibration=clip[:count])
    assert list(tmp_path.iterdir()) == []
