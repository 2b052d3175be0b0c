"""Maps that are only ever added to one another become one, and the graphs compute what they did."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.exporting.functions import delta_functions
from deltadistill.exporting.joined_maps import join_maps
from deltadistill.exporting.onnx_graphs import write_graphs
from deltadistill.exporting.running import graphs_of
from deltadistill.runtime.engine import open_session


class TwoBranches(nn.Module):
    """A residual block with a convolution in its shortcut; `look` returns one of the summands as well."""

    def __init__(self, *, look: bool = False, branches: int = 2):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.branches = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1) for _ in range(branches))
        self.last = nn.Conv2d(8, 2, 1)
        self.look = look

    def forward(self, x):
        x = torch.relu(self.first(x))
        parts = [branch(x) for branch in self.branches]
        y = self.last(torch.relu(sum(parts[1:], parts[0])))
        return (y, torch.tanh(parts[0])) if self.look else y


def functions_of(network: nn.Module, *, whole: tuple[str, ...] = ()):
    torch.manual_seed(0)
    network = dd.convert(network.eval(), dd.LinearStudent(keep_dearer=True), where=dd.all_convolutions)
    for name, block in delta_blocks(network).items():
        block.decide("uncompressed" if name in whole else "compressed")
    return delta_functions(network, torch.rand(1, 3, 12, 16))


def run(path, inputs: dict) -> dict:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    wanted = {each.name: inputs[each.name] for each in session.get_inputs()}
    return dict(zip(names, session.run(names, wanted), strict=True))


@pytest.mark.parametrize(("branches", "left"), [(2, 3), (3, 3), (1, 3)])
def test_summed_layers_share_a_map_and_say_the_same(tmp_path, branches, left):
    functions = functions_of(TwoBranches(branches=branches))
    key, later = (torch.rand(1, 3, 12, 16).numpy() for _ in range(2))
    paths = write_graphs(functions, tmp_path)
    made = run(paths["key"], {"frame": key})
    expected = run(paths["delta"], {"frame": later, **made})["output"]
    kept = join_maps(paths["key"], paths["delta"], functions.maps)
    assert len(kept) == left
    assert [name for name in functions.maps if name in kept] == list(kept)
    assert sorted(sum(kept.values(), ())) == sorted(functions.maps)
    joined = run(paths["key"], {"frame": key})
    assert set(joined) == {"output", *kept}
    np.testing.assert_allclose(joined["output"], made["output"], rtol=1e-5, atol=1e-6)
    found = run(paths["delta"], {"frame": later, **joined})["output"]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "network", [TwoBranches(look=True), TwoBranches(branches=1)], ids=["read elsewhere", "no sum"]
)
def test_maps_that_are_not_only_added_stay(tmp_path, network):
    functions = functions_of(network)
    paths = write_graphs(functions, tmp_path)
    before = [path.read_bytes() for path in paths.values()]
    assert list(join_maps(paths["key"], paths["delta"], functions.maps)) == list(functions.maps)
    assert [path.read_bytes() for path in paths.values()] == before


def test_a_branch_that_is_left_to_its_teacher_has_no_map_to_join(tmp_path):
    functions = functions_of(TwoBranches(), whole=("branches.0",))
    paths = write_graphs(functions, tmp_path)
    assert list(join_maps(paths["key"], paths["delta"], functions.maps)) == list(functions.maps)
    assert len(functions.maps) == 3


def test_a_runner_has_as_many_maps_as_its_graphs(tmp_path):
    network = dd.convert(TwoBranches().eval(), dd.LinearStudent(keep_dearer=True), where=dd.all_convolutions)
    for block in delta_blocks(network).values():
        block.decide("compressed")
    clip = torch.rand(4, 1, 3, 12, 16)
    dd.export(network, tmp_path / "runner", example=clip[0], period=3)
    runner, stream = dd.Runner(tmp_path / "runner", engine="onnxruntime"), dd.Stream(network, period=3)
    assert len(runner.description.maps) == 3
    for frame in clip:
        np.testing.assert_allclose(runner(frame.numpy()), stream(frame).detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino", "eager"])
def test_every_engine_takes_graphs_with_joined_maps(tmp_path, engine):
    pytest.importorskip({"eager": "torch"}.get(engine, engine))
    functions = functions_of(TwoBranches())
    graphs = graphs_of(functions, tmp_path)
    assert len(graphs.maps) == len(functions.maps) - 1
    key, later = (torch.rand(1, 3, 12, 16) for _ in range(2))
    session = open_session(graphs, engine, threads=1)
    _, maps = session.key(key.numpy())
    (found,) = session.delta(later.numpy(), maps)
    made = functions.key(key)
    (expected,) = functions.delta(later, *made[1:])
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5)


def test_a_sum_that_only_the_delta_graph_computes_stays(tmp_path):
    functions = functions_of(TwoBranches())
    paths = write_graphs(functions, tmp_path)
    model = onnx.load(paths["key"])
    for node in model.graph.node:  # the key graph adds them in another order
        maps = [name for name in node.input if name in functions.maps]
        if node.op_type == "Add" and len(maps) == 2:
            node.input[:] = [maps[0], maps[0]]
    onnx.save(model, paths["key"])
    assert list(join_maps(paths["key"], paths["delta"], functions.maps)) == list(functions.maps)
