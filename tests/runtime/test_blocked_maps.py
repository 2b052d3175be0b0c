"""Maps in blocks: the same answers as with maps in plain order, and no reorder left at any of them."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.exporting.functions import delta_functions
from deltadistill.exporting.running import graphs_of
from deltadistill.runtime import onnxruntime_engine
from deltadistill.runtime.blocked_maps import _block, agree, blocked_graphs
from deltadistill.runtime.onnxruntime_engine import ENGINE, _Loader
from deltadistill.runtime.whole_blocks import is_worth_filling

SHAPE = (1, 3, 16, 24)


class Residual(nn.Module):
    """Sums of two converted convolutions, of one and its input, and channels that fill no whole block."""

    def __init__(self, activation: nn.Module):
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, stride=2, padding=1)
        self.one, self.other = nn.Conv2d(32, 32, 3, padding=1), nn.Conv2d(32, 32, 1)
        self.odd, self.last = nn.Conv2d(32, 20, 3, padding=1), nn.Conv2d(20, 5, 1)
        self.activation = activation

    def forward(self, x):
        x = self.activation(self.stem(x))
        x = self.activation(self.one(x) + self.other(x))
        x = self.activation(self.one(x) + x)
        return self.last(self.activation(self.odd(x)))


def graphs(folder, activation=None):
    torch.manual_seed(0)
    network = Residual(activation or nn.ReLU()).eval()
    network = dd.convert(network, dd.LinearStudent(gamma=2, keep_dearer=True), where=dd.all_convolutions)
    for block in delta_blocks(network).values():
        block.decide("compressed")
    return graphs_of(delta_functions(network, torch.rand(*SHAPE)), folder)


def answers(session, seed=0):
    first, *later = np.random.default_rng(seed).standard_normal((4, *SHAPE)).astype(np.float32)
    outputs, maps = session.key(first)
    return [*outputs, *(each for frame in later for each in session.delta(frame, maps))]


def has_blocks() -> bool:
    """Whether ONNX Runtime has convolutions in blocks on this processor."""
    with TemporaryDirectory() as folder:
        return _block(_Loader(1, "cpu")._optimise, Path(folder)) > 0


@pytest.mark.parametrize(
    "activation", [nn.ReLU(), nn.LeakyReLU(0.1), nn.LeakyReLU(), nn.SiLU()], ids=lambda each: str(each)
)
def test_the_answers_are_those_of_maps_in_plain_order(tmp_path, monkeypatch, activation):
    made = graphs(tmp_path, activation)
    blocked = answers(ENGINE.open(made, threads=1))
    monkeypatch.setattr(onnxruntime_engine, "blocked_graphs", lambda *_: {})
    plain = answers(ENGINE.open(made, threads=1))
    for a, b in zip(blocked, plain, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(not has_blocks(), reason="ONNX Runtime keeps plain order on this processor")
@pytest.mark.parametrize("activation", [nn.ReLU(), nn.LeakyReLU(0.1)], ids=["plain", "leaky"])
def test_nothing_is_reordered_at_a_map_that_fills_blocks(tmp_path, activation):
    made = graphs(tmp_path, activation)
    blocked = blocked_graphs(made, _Loader(1, "cpu")._optimise)
    key, delta = (onnx.load_from_string(blocked[name]).graph for name in ("key", "delta"))
    whole = {each.name for each in made.maps if each.shape[1] == 32}
    assert len(whole) == 3  # of the stem, one for both that are summed, and of the second call
    assert not {node.output[0] for node in key.node if node.op_type == "ReorderOutput"} & whole
    assert not {node.input[0] for node in delta.node if node.op_type == "ReorderInput"} & whole
    assert not [node for node in delta.node if node.op_type == "MaxPool"]


class Heads(nn.Module):
    """Heads of 30 channels: one goes out, two are summed first, one is read by what `last` is."""

    def __init__(self, last):
        super().__init__()
        self.stem, self.last = nn.Conv2d(3, 32, 3, padding=1), last
        self.one, self.two, self.three, self.four = (nn.Conv2d(32, 30, 3, padding=1) for _ in range(4))

    def forward(self, x):
        x = torch.relu(self.stem(x))
        return self.one(x), self.two(x) + self.three(x), self.last(nn.functional.leaky_relu(self.four(x)))


def made_of(network, folder):
    torch.manual_seed(0)
    design = dd.LinearStudent(gamma=2, keep_dearer=True)
    converted = dd.convert(network.eval(), design, where=dd.all_convolutions)
    for block in delta_blocks(converted).values():
        block.decide("compressed")
    return graphs_of(delta_functions(converted, torch.rand(*SHAPE)), folder)


@pytest.mark.skipif(not has_blocks(), reason="ONNX Runtime keeps plain order on this processor")
@pytest.mark.parametrize(
    ("last", "count"),
    [
        (nn.Conv2d(30, 32, 1), 5),  # stem, one, two with three, four, last
        (nn.Identity(), 3),  # a leaky rectifier beside others is none in blocks: nothing cuts it off
        (nn.Conv2d(30, 30, 3, groups=30), 3),  # of four's channels it would need more itself
        (nn.Softmax(1), 3),
    ],
    ids=str,
)
def test_channels_that_fill_no_block_are_filled_up_and_cut_off_again(tmp_path, monkeypatch, last, count):
    made = made_of(Heads(last), tmp_path)
    blocked = answers(ENGINE.open(made, threads=1))
    graphs = blocked_graphs(made, _Loader(1, "cpu")._optimise)
    delta = onnx.load_from_string(graphs["delta"]).graph
    reordered = {node.input[0] for node in delta.node if node.op_type == "ReorderInput"}
    widths = {each.name: each.type.tensor_type.shape.dim[1].dim_value for each in delta.input}
    in_blocks = [each.name for each in made.maps if each.name not in reordered and widths[each.name] % 8 == 0]
    assert len(in_blocks) == count
    monkeypatch.setattr(onnxruntime_engine, "blocked_graphs", lambda *_: {})
    plain = answers(ENGINE.open(made, threads=1))
    for a, b in zip(blocked, plain, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_a_map_is_filled_up_where_that_takes_little_memory():
    assert is_worth_filling(124, 16)
    assert is_worth_filling(30, 8)
    assert not is_worth_filling(20, 16)  # 32
    assert not is_worth_filling(32, 16)  # it is whole


def test_where_outputs_differ_maps_stay_in_plain_order_and_it_is_said(tmp_path, monkeypatch, caplog):
    made = graphs(tmp_path)
    expected = answers(ENGINE.open(made, threads=1))

    def wrong(self, graphs):
        key, delta = (self.plain(graphs.onnx[name]) for name in ("key", "delta"))
        return {"key": key, "delta": Shifted(delta)}

    monkeypatch.setattr(_Loader, "blocked", wrong)
    made_answers = answers(ENGINE.open(made, threads=1))
    assert "maps in blocks give other outputs here" in caplog.text
    for a, b in zip(made_answers, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


class Shifted:
    """A session whose bound inputs are those of another frame."""

    def __init__(self, session):
        self._session = session

    def io_binding(self):
        return self._session.io_binding()

    def run_with_iobinding(self, binding):
        frame = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros(SHAPE, np.float32))
        binding.bind_ortvalue_input("frame", frame)
        self._session.run_with_iobinding(binding)


def test_agreement_is_up_to_rounding_of_the_largest_value():
    assert agree([np.array([1000.0, 0.0])], [np.array([1000.5, 0.05])])
    assert not agree([np.array([1000.0, 0.0])], [np.array([1000.0, 0.2])])
    assert not agree([np.array([1.0])], [np.array([np.nan])])


def test_a_graph_without_maps_is_left_alone(tmp_path):
    network = nn.Conv2d(3, 16, 3).eval()
    made = graphs_of(delta_functions(network, torch.rand(*SHAPE)), tmp_path)
    assert blocked_graphs(made, _Loader(1, "cpu")._optimise) == {}
