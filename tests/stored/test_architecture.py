"""The found architecture and the weights: exported, saved, loaded and applied again."""

import json
import subprocess
import sys

import pytest
import torch

import deltadistill as dd
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.distillation.search import gate_probabilities
from deltadistill.files.result_files import write_json
from deltadistill.stored.architecture import (
    apply_architecture,
    architecture_report,
    found_architecture,
    load_network,
)
from deltadistill.stored.network_file import read_network_file, save_network

MODEL = {"name": "ddrnet23_slim", "classes": 4, "options": {"width": 8, "stem_strides": [2, 1]}}
LINEAR = dd.LinearStudent(gamma=4)
DESIGNS = {
    "delta": (LINEAR, dd.inner_convolutions, "delta"),
    "feature": (LINEAR, dd.inner_convolutions, "feature"),
    "data": (dd.LinearStudent(gamma=4, initialisation="data"), dd.inner_convolutions, "delta"),
    "channel": (dd.ChannelStudent(gamma=2), dd.residual_blocks, "delta"),
    "spatial": (dd.SpatialStudent(), dd.residual_blocks, "delta"),
    "channel_spatial": (dd.ChannelSpatialStudent(), dd.residual_blocks, "delta"),
    "reduced": (dd.ReducedResolution(), dd.residual_blocks, "delta"),
    "reduced whole": (dd.ReducedResolution(), dd.whole_network, "delta"),
}


def plain():
    torch.manual_seed(0)
    return dd.models.build(MODEL["name"], classes=MODEL["classes"], **MODEL["options"]).eval()


@pytest.fixture(params=DESIGNS)
def students(request):
    return request.param


@pytest.fixture
def searched(students):
    design, where, predicts = DESIGNS[students]
    clips = torch.randn(4, 2, 3, 32, 48) if students == "data" else None
    network = dd.convert(plain(), design, where, predicts=predicts, clips=clips)
    for index, block in enumerate(delta_blocks(network).values()):
        block.decide("compressed" if index % 3 else "uncompressed")
    return network


def outputs(network):
    clip = torch.randn(3, 1, 3, 32, 48, generator=torch.Generator().manual_seed(1))
    stream = dd.Stream(network, period=3)
    return torch.cat([stream(frame) for frame in clip])


def test_a_saved_delta_network_loads_to_the_same_outputs(searched, students, tmp_path):
    deployed = dd.deploy(searched)
    path = tmp_path / "network.pt"
    save_network(path, deployed, MODEL, architecture=found_architecture(deployed, DESIGNS[students][0]))
    torch.testing.assert_close(outputs(load_network(path)), outputs(deployed), rtol=0, atol=0)


@pytest.mark.parametrize("students", ["delta", "data"], indirect=True)
def test_loading_works_out_no_start_that_the_weights_overwrite(searched, students, tmp_path, monkeypatch):
    deployed = dd.deploy(searched)
    architecture = found_architecture(searched, DESIGNS[students][0])
    save_network(tmp_path / "network.pt", deployed, MODEL, architecture=architecture)
    monkeypatch.setattr(torch.linalg, "svd", lambda *_, **__: pytest.fail("a start from singular values"))
    torch.testing.assert_close(outputs(load_network(tmp_path / "network.pt")), outputs(deployed))


@pytest.mark.parametrize("students", ["delta", "data"], indirect=True)
def test_an_architecture_that_is_applied_starts_from_singular_values(searched, students):
    network = apply_architecture(plain(), found_architecture(searched, DESIGNS[students][0]))
    expected = dd.convert(plain(), LINEAR, dd.inner_convolutions)
    for name, block in delta_blocks(expected).items():
        block.decide(delta_blocks(searched)[name].choice)
    torch.testing.assert_close(outputs(network), outputs(dd.deploy(expected)))


def test_the_architecture_survives_json_and_fits_a_fresh_network(searched, students):
    architecture = json.loads(json.dumps(found_architecture(searched, DESIGNS[students][0])))
    fresh = apply_architecture(plain(), architecture)
    choices = {name: block.choice for name, block in delta_blocks(fresh).items()}
    assert choices == {name: block.choice for name, block in delta_blocks(searched).items()}
    assert dd.count_macs(fresh, (3, 32, 48)).delta == dd.count_macs(searched, (3, 32, 48)).delta


def test_the_report_adds_up(searched, students):
    deployed = dd.deploy(searched)
    table = dd.count_macs(deployed, (3, 32, 48))
    report = architecture_report(
        deployed, table, found_architecture(deployed, DESIGNS[students][0]), gate_probabilities(searched)
    )
    kept = sum(row.teacher_macs for row in table.rows if row.chosen is None)
    assert report["macs"]["delta"] == kept + sum(layer["macs"] for layer in report["layers"])
    assert report["macs"]["teacher"] == kept + sum(layer["teacher_macs"] for layer in report["layers"])
    parts = {"network"} if students == "reduced whole" else {"stem", "high-resolution branch"}
    assert {layer["part"] for layer in report["layers"]} >= parts


def test_the_file_that_the_stage_writes_is_applied_to_a_fresh_network(searched, students, tmp_path):
    found, deployed = found_architecture(searched, DESIGNS[students][0]), dd.deploy(searched)
    table = dd.count_macs(deployed, (3, 32, 48))
    report = architecture_report(deployed, table, found, gate_probabilities(searched))
    write_json(tmp_path / "architecture.json", report)
    fresh = apply_architecture(plain(), json.loads((tmp_path / "architecture.json").read_text()))
    fresh.load_state_dict(deployed.state_dict())
    torch.testing.assert_close(outputs(fresh), outputs(deployed), rtol=0, atol=0)


def test_the_report_of_a_per_frame_network_is_no_architecture_to_apply():
    report = architecture_report(plain(), dd.count_macs(plain(), (3, 32, 48)), None, {})
    for content in (report, {"layers": []}):
        with pytest.raises(ValueError, match="not the architecture of a delta network"):
            apply_architecture(plain(), content)


def test_a_per_frame_network_saves_and_loads(tmp_path):
    network = plain()
    save_network(tmp_path / "teacher.pt", network, MODEL)
    x = torch.randn(1, 3, 32, 48)
    assert torch.equal(load_network(tmp_path / "teacher.pt")(x), network(x))


def test_a_network_without_blocks_has_no_architecture():
    with pytest.raises(ValueError, match="no converted blocks"):
        found_architecture(plain(), LINEAR)


def test_a_missing_file_says_what_to_run(tmp_path):
    with pytest.raises(ValueError, match=r"none\.pt: no such network file; run the stage"):
        load_network(tmp_path / "none.pt")


def test_a_truncated_file_is_refused_by_name(tmp_path):
    path = tmp_path / "teacher.pt"
    save_network(path, plain(), MODEL)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"teacher\.pt: not a readable network file"):
        read_network_file(path)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "it is empty"),
        (b"hello world", r"its 11 bytes are no archive of PyTorch, they begin with b'hello world'"),
        (b"PK\x03\x04" + bytes(96), "it is truncated, only 100 bytes are there"),
    ],
)
def test_a_damaged_file_is_described_with_what_to_do(tmp_path, content, fault):
    path = tmp_path / "teacher.pt"
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=rf"teacher\.pt: not a readable.*{fault}.*run the stage that trains it"
    ):
        read_network_file(path)


def test_a_file_that_lacks_a_part_is_refused_by_its_name(tmp_path):
    path = tmp_path / "teacher.pt"
    torch.save({"format": 1, "model": MODEL}, path)
    with pytest.raises(ValueError, match=r"without architecture, state_dict; write it with save_network"):
        read_network_file(path)


def test_a_file_that_would_run_code_is_refused(tmp_path):
    class Harmful:
        def __reduce__(self):
            return print, ("code ran",)

    path = tmp_path / "harmful.pt"
    torch.save({"format": 1, "model": Harmful()}, path)
    with pytest.raises(ValueError, match="not a readable network file"):
        load_network(path)


def test_weights_of_another_width_are_refused_by_name(tmp_path):
    path = tmp_path / "teacher.pt"
    save_network(path, plain(), MODEL | {"options": {"width": 16, "stem_strides": [2, 1]}})
    with pytest.raises(ValueError, match=r"do not fit.*conv1\.0\.weight has shape \(8, 3, 3, 3\)"):
        load_network(path)


def test_an_architecture_for_other_blocks_is_refused():
    architecture = {"predicts": "delta", "students": LINEAR.as_dict(), "blocks": {"nowhere": "compressed"}}
    with pytest.raises(ValueError, match="does not have"):
        apply_architecture(plain(), architecture)


def test_what_could_not_be_loaded_again_is_refused_before_it_is_written(tmp_path):
    network = dd.convert(plain(), LINEAR)
    deployed = dd.deploy(network)
    found = found_architecture(deployed, LINEAR)
    for fault, arguments, architecture in (
        ("not deployed", (network, MODEL), found),
        ("describes 0 blocks", (deployed, MODEL), None),
        ("the network has 0", (plain(), MODEL), found),
        ("without options", (plain(), {"name": "ddrnet23_slim", "classes": 4}), None),
    ):
        with pytest.raises(ValueError, match=fault):
            save_network(tmp_path / "network.pt", *arguments, architecture=architecture)
    assert not list(tmp_path.iterdir())


def test_loading_imports_no_compiler(tmp_path):
    """PyTorch's own takes a second to import, and would do so for the mode that watches what is built."""
    save_network(tmp_path / "teacher.pt", plain(), model=MODEL)
    code = f"""
import sys, deltadistill as dd
dd.load_network({str(tmp_path / "teacher.pt")!r})
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
