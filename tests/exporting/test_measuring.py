"""Times of layers: hand-worked with scripted engines, and really measured by ONNX Runtime's own profile."""

import tempfile

import onnx
import pytest
import torch
from architectures import ARCHITECTURES, build
from scripted_engines import EXAMPLE, small_network
from torch import nn

import deltadistill as dd
from deltadistill.account.machine import fast_multiple
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.exporting.layer_names import Owners, block_paths
from deltadistill.exporting.layer_times import BLOCK_BY_BLOCK, PROFILE
from deltadistill.exporting.measuring import measure_layers
from deltadistill.exporting.onnx_graphs import ExportError
from deltadistill.exporting.running import load
from deltadistill.runtime.node_times import NodeTime

SLOW = ("hrnet",)  # it has nothing in its names that ddrnet has not
pytestmark = pytest.mark.usefixtures("clock")


def measured(network=None, engine="PROFILING", **settings):
    network = network or small_network()
    return measure_layers(network, EXAMPLE, engine=f"scripted_engines:{engine}", threads=1, **settings)


def microseconds(row) -> tuple:
    values = (row.teacher, row.uncompressed.delta, row.uncompressed.key_extra)
    return tuple(
        round(value * 1000, 3) for value in (*values, row.compressed.delta, row.compressed.key_extra)
    )


@pytest.mark.parametrize(("engine", "way"), [("PROFILING", PROFILE), ("PLAIN", BLOCK_BY_BLOCK)])
def test_times_of_layers_by_hand(engine, way):
    times = measured(engine=engine)
    assert times.way == way
    # a delta frame: both factors and a sum; a key frame: the merged kernel of the teacher's size, and those
    assert {row.name: microseconds(row) for row in times.rows} == {
        "0": (36, 36, 0, 6 + 24 + 5, 6 + 24 + 5),
        "2": (144, 144, 0, 24 + 24 + 5, 24 + 24 + 5),
        "4": (8, 8, 0, 4 + 2 + 5, 4 + 2 + 5),
    }
    assert times.rest.delta == pytest.approx(0.002)  # two rectifiers
    assert times.whole.frame == pytest.approx((36 + 144 + 8 + 2) / 1000)
    assert times.whole.delta == pytest.approx((35 + 53 + 11 + 2) / 1000)
    assert times.parts_of_whole == pytest.approx({"frame": 1, "key": 1, "delta": 1})


@pytest.mark.parametrize("engine", ["PROFILING", "PLAIN"])
def test_an_uncompressed_candidate_that_was_trained_is_counted_with_its_map(engine):
    rows = {row.name: row for row in measured(engine=engine, trained=True).rows}
    # a delta frame: the student's kernel and a sum; a key frame: also the teacher's, and a difference for it
    assert microseconds(rows["2"])[:3] == (144, 144 + 5, 144 + 5)
    assert rows["2"].uncompressed.map_bytes == 4 * 4 * 8 * 8
    network = small_network()
    nn.init.normal_(delta_blocks(network)["2"].uncompressed.weight)
    rows = {row.name: row for row in measured(network, engine=engine).rows}
    assert microseconds(rows["2"])[:3] == (144, 149, 149)
    assert microseconds(rows["0"])[:3] == (36, 36, 0)
    assert rows["0"].uncompressed.map_bytes == 0


def test_the_table_spreads_what_key_frames_pay_over_the_delta_frames():
    table = measured(length=3).table
    assert table.blocks["2"] == pytest.approx((0.144, 0.053 + 0.053 / 2))
    assert (table.rest, table.teacher) == pytest.approx((0.002, 0.190))
    assert measured(length=3).table_at(54).blocks["2"] == pytest.approx((0.144, 0.054))


def test_a_report_names_every_block_the_way_and_the_sum_of_the_parts():
    text = str(measured())
    assert all(part in text for part in ("0.144", "(not converted)", "×1.00", "times of layers by: profile"))


def test_a_profile_that_does_not_name_the_blocks_is_not_used_and_that_is_said(caplog):
    assert measured(engine="NAMELESS").way == BLOCK_BY_BLOCK
    assert "does not name" in caplog.text


def test_a_network_that_has_nothing_to_choose_is_refused():
    with pytest.raises(ValueError, match="no blocks with candidates"):
        measured(nn.Sequential(nn.Conv2d(1, 1, 1)).eval())
    with pytest.raises(ValueError, match="before it is deployed"):
        measured(dd.deploy(small_network()))
    with pytest.raises(ValueError, match="length 1"):
        measured(length=1)


def test_the_network_itself_is_as_it_was():
    network = small_network()
    delta_blocks(network)["0"].decide("compressed")
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    measured(network, trained=True)
    assert [block.decided for block in delta_blocks(network).values()] == ["compressed", None, None]
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_what_is_computed_together_with_a_layer_is_the_layers_also_where_it_stands_alone():
    network = small_network()
    for block in delta_blocks(network).values():
        block.decide("compressed")
    with load(network, EXAMPLE) as loaded:
        paths = block_paths(loaded.functions)
        # named by the last of what is in it, as ONNX Runtime does; the second rectifier stands alone
        told = [
            NodeTime((name,), 1.0)
            for name in (
                "/network/network.1/Relu_output_0",
                "/network/network.2/teacher/Conv",
                "/network/network.3/Relu",
                "output",
            )
        ]
        owners = Owners(paths, loaded.functions.maps, loaded.graphs.onnx["frame"], told)
    cases = {
        "/network/network.1/Relu_output_0": "0",
        "/network/network.1/Relu": "0",
        "/network/network.3/Relu": None,
        "/network/network.0/compressed/compressed.1/Conv_output_0": "0",
        "/network/network.0/Add": "0",
        "2.c_0": "2",
        "output": "4",
        "something else": None,
    }
    assert {name: owners.of(NodeTime((name,), 1.0)) for name in cases} == cases
    assert owners.of(NodeTime(("unknown", "/network/network.2/Add"), 1.0)) == "2"


@pytest.mark.parametrize("architecture", [name for name in ARCHITECTURES if name not in SLOW])
def test_every_block_is_found_by_the_names_of_its_nodes(architecture):
    network = dd.convert(build(architecture).eval(), dd.LinearStudent(keep_dearer=True), where=dd.all_layers)
    for block in delta_blocks(network).values():
        block.decide("compressed")
    with load(network, torch.rand(1, 3, 32, 64)) as loaded:
        paths = block_paths(loaded.functions)
        assert set(paths.values()) == set(delta_blocks(network))
        for name in ("frame", "key", "delta"):
            owners = Owners(paths, loaded.functions.maps, loaded.graphs.onnx["frame"], [])
            nodes = onnx.load(loaded.graphs.onnx[name]).graph.node
            found = {owners.of(NodeTime((node.name,), 1.0)) for node in nodes}
            assert set(delta_blocks(network)) <= found


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_an_engines_own_profile_tells_of_every_block(engine):
    pytest.importorskip(engine)
    torch.manual_seed(0)
    plain = nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 24, 3, stride=2), nn.ReLU(), nn.Conv2d(24, 16, 3)
    )
    network = dd.convert(plain.eval(), dd.LinearStudent(keep_dearer=True), where=dd.all_convolutions)
    times = measure_layers(network, torch.rand(1, 3, 64, 96), engine=engine, threads=1, seconds=0.1)
    assert times.way == PROFILE
    assert [row.name for row in times.rows] == ["0", "2", "4"]
    assert all(row.teacher > 0 and row.compressed.delta > 0 for row in times.rows)


@pytest.mark.parametrize(
    ("flags", "multiple"), [("avx2 avx512f", 16), ("amx_tile", 16), ("avx2", 8), ("asimd", 8), ("", 8)]
)
def test_ranks_that_fill_the_vector_registers(flags, multiple, monkeypatch):
    monkeypatch.setattr("deltadistill.account.machine._about_processor", lambda: {"flags": flags})
    assert fast_multiple() == multiple


def test_a_network_that_has_no_graph_leaves_no_files(tmp_path, monkeypatch):
    class Transformed(nn.Module):
        def forward(self, x):
            return torch.fft.rfft2(x).real

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(ExportError):
        load(nn.Sequential(Transformed()).eval(), EXAMPLE)
    assert list(tmp_path.iterdir()) == []
