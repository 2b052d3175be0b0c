"""What is noted as a stage's code: what the parameters name among it, wherever a change of it is seen."""

import copy
import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from deltadistill.pipeline import params
from deltadistill.pipeline.code_of_stages import code_of_stages

ROOT = Path(__file__).resolve().parents[2]
CONTENT = YAML(typ="safe").load(ROOT / "params.yaml")
NET = "from extensions.code import layers\n\ndef build(*, classes): ...\n"


@pytest.fixture
def root(tmp_path):
    for name in ("stages", "deltadistill"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in ("networks", "extensions/code", "elsewhere"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "net.py").write_text(NET)
        (tmp_path / folder / "net.onnx").write_bytes(b"a network")
    (tmp_path / "extensions" / "code" / "layers.py").write_text("DEPTH = 3\n")
    return tmp_path


def noted(root, name: str) -> dict[str, dict[str, str]]:
    content = copy.deepcopy(CONTENT)
    content["model"] = {"name": name, "options": {}}
    return code_of_stages(params.parse(content), root)


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("ddrnet23_slim", {"deltadistill/models/ddrnet.py"}),
        ("net", {"networks/net.py", "extensions/code/layers.py"}),
        ("networks/net.py:build", {"networks/net.py", "extensions/code/layers.py"}),
        ("extensions.code.net:build", {"extensions/code/net.py", "extensions/code/layers.py"}),
        ("extensions/code/net.onnx", {"extensions/code/net.onnx", "deltadistill/models/onnx_networks.py"}),
        ("torchvision:resnet18", {"deltadistill/models/torchvision_networks.py"}),
    ],
)
def test_the_files_behind_a_network_are_noted_for_the_stages_that_build_it(root, name, files):
    code = noted(root, name)
    for stage in ("pretrain_teacher", "profile_macs", "distill/delta", "sweep_sequence_length/delta"):
        assert files <= set(code[f"{stage}.json"]), stage
    own = {file for file in files if not file.startswith("deltadistill")}
    assert not own & set(code["prepare_dataset.json"])


def test_a_training_of_another_network_is_noted_with_that_ones_code(root):
    content = copy.deepcopy(CONTENT)
    content["distill"]["trainings"]["small"] = {"method": "small", "model": "jitnet"}
    code = code_of_stages(params.parse(content), root)
    stages = "distill/small", "sweep_sequence_length/small", "measure_latency", "distill/delta"
    noted = ["deltadistill/models/jitnet.py" in code[f"{stage}.json"] for stage in stages]
    assert noted == [True, True, True, False]


def noted_with_engines(root, *names: str) -> set[str]:
    content = copy.deepcopy(CONTENT)
    content["measure_latency"]["engines"] = list(names)
    code = code_of_stages(params.parse(content), root)
    assert not [file for file in code["distill/delta.json"] if file.startswith("deltadistill/runtime")]
    return set(code["measure_latency.json"])


def test_the_stage_that_measures_times_is_noted_with_the_engines_that_are_named(root):
    openvino, onnxruntime = (f"deltadistill/runtime/{name}_engine.py" for name in ("openvino", "onnxruntime"))
    own = "extensions/code/net.py"
    assert noted_with_engines(root, "openvino") & {openvino, onnxruntime, own} == {openvino}
    assert noted_with_engines(root, "extensions.code.net:ENGINE") & {openvino, own} == {own}
    assert {openvino, onnxruntime} <= noted_with_engines(root, "eager", "auto")  # which may be any


@pytest.mark.parametrize("name", ["elsewhere/net.py:build", "elsewhere.net:build", "elsewhere/net.onnx"])
def test_a_network_of_which_no_change_would_be_seen_is_refused(root, name):
    with pytest.raises(ValueError, match=r"elsewhere/net\.\w+: .* move it into extensions/code/"):
        noted(root, name)


def test_a_file_outside_the_project_is_refused_too(root, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "net.py"
    outside.write_text(NET)
    with pytest.raises(ValueError, match="no change of it would make a stage stale"):
        noted(root, f"{outside}:build")


def test_scripts_of_extensions_are_noted_as_stages_are(root):
    (root / "extensions" / "code" / "measure.py").write_text("from extensions.code import layers\n")
    code = noted(root, "ddrnet23_slim")
    expected = {"extensions/code/measure.py", "extensions/code/layers.py", "deltadistill/models/ddrnet.py"}
    assert expected <= set(code["extensions/measure.json"])
