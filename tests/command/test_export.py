"""deltadistill export: files of a runner that other programs run, and how they are called."""

import json
import shutil

import numpy as np
import pytest

import deltadistill as dd
from deltadistill.command.main import main
from deltadistill.runtime.runner import Runner

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime", reason="an optional package")


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(8, 8, 3, padding=1),
        torch.nn.Conv2d(8, 4, 1),
    ).eval()
    delta = dd.deploy(dd.convert(network, dd.LinearStudent(), dd.inner_convolutions))
    folder = tmp_path_factory.mktemp("runner") / "runner"
    example = torch.zeros(1, 16, 32, 3, dtype=torch.uint8)
    dd.export(delta, folder, example=example, period=3, pictures=dd.PictureForm((16, 32)))
    return folder


def frames():
    return np.random.default_rng(0).integers(0, 256, (3, 1, 16, 32, 3), dtype=np.uint8)


def by_onnx(path, given):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return dict(zip([each.name for each in session.get_outputs()], session.run(None, given), strict=True))


def by_openvino(path, given):
    import openvino

    model = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = model(given)
    return {output.any_name: found[output].copy() for output in model.outputs}


@pytest.mark.parametrize(("name", "run"), [("onnx", by_onnx), ("openvino", by_openvino)])
def test_what_is_written_answers_as_the_runner_when_called_as_its_file_says(
    runner, tmp_path, name, run, capsys
):
    if name == "openvino":
        pytest.importorskip("openvino", reason="an optional package")
    line = ["export", str(runner), "--format", name, "-o", str(tmp_path / "out"), "--json"]
    assert main(line) == 0
    printed = json.loads(capsys.readouterr().out)
    interface = json.loads((tmp_path / "out" / "interface.json").read_text())
    assert printed == {"folder": str(tmp_path / "out"), **interface}
    assert interface["schedule"] == {"period": 3}
    assert interface["between"]["kind"] == "delta"
    expected = Runner(runner, engine="onnxruntime", threads=1)
    (frame,) = (form["name"] for form in interface["functions"]["key"]["takes"])
    kept = {}
    for pixels, called in zip(frames(), ("key", "delta", "delta"), strict=True):
        function = interface["functions"][called]
        takes = [form["name"] for form in function["takes"]]
        found = run(tmp_path / "out" / function["file"], {key: {frame: pixels, **kept}[key] for key in takes})
        assert set(found) == {form["name"] for form in function["returns"]}
        np.testing.assert_allclose(found["output"], expected(pixels), rtol=1e-3, atol=1e-4)
        kept = kept or {key: value for key, value in found.items() if key != "output"}


def test_an_export_replaces_an_export_and_nothing_else(runner, tmp_path, capsys):
    line = ["export", str(runner), "--format", "onnx", "-o", str(tmp_path / "out")]
    assert main(line) == main(line) == 0
    assert "frame.onnx, key.onnx, delta.onnx and interface.json in " in capsys.readouterr().out
    (tmp_path / "out" / "interface.json").unlink()
    assert main(line) == 1
    assert "is there and is no export" in capsys.readouterr().err


def test_without_a_folder_the_export_lies_beside_the_runner(runner, tmp_path, monkeypatch):
    copy = shutil.copytree(runner, tmp_path / "street")
    assert main(["export", f"{copy}/", "--format", "onnx"]) == 0
    assert (tmp_path / "street-onnx" / "interface.json").is_file()
    shutil.rmtree(tmp_path / "street-onnx")
    monkeypatch.chdir(copy)
    assert main(["export", ".", "--format", "onnx"]) == 0
    assert (tmp_path / "street-onnx" / "key.onnx").is_file()


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        (["--format", "tflite"], 1, "invalid choice: 'tflite'"),
        (["--format", "pt2"], 2, "keeps no packages of PyTorch, and none can be made of its ONNX files"),
        (["--format", "pt2", "--precision", "int8"], 1, "--format pt2 is of fp32"),
        (
            ["--format", "onnx", "--precision", "int8"],
            2,
            "dd.export(network, folder, example=…, calibration=",
        ),
        (["--format", "onnx", "-o", "{runner}/out"], 1, "lies in the runner's folder"),
        (["--format", "onnx", "-o", "{file}"], 1, "is a file; name a folder"),
        (["--format", "onnx", "-o", "/proc/out"], 3, "/proc/out"),
    ],
)
def test_what_cannot_be_exported_is_said_in_a_sentence(runner, tmp_path, capsys, more, code, says):
    (tmp_path / "file").touch()
    words = [word.format(runner=runner, file=tmp_path / "file") for word in more]
    assert main(["export", str(runner), "-o", str(tmp_path / "out"), *words]) == code
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_packages_that_the_folder_keeps_are_handed_on(runner, tmp_path):
    copy = shutil.copytree(runner, tmp_path / "copy")
    content = json.loads((copy / "runner.json").read_text())
    for name, graph in content["graphs"].items():
        shutil.copy(copy / graph["file"], copy / f"{name}.pt2")
    content["packages"] = {name: {**g, "file": f"{name}.pt2"} for name, g in content["graphs"].items()}
    (copy / "runner.json").write_text(json.dumps(content))
    assert main(["export", str(copy), "--format", "pt2", "-o", str(tmp_path / "out")]) == 0
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["delta.pt2", "frame.pt2", "interface.json", "key.pt2"]
    assert (tmp_path / "out" / "key.pt2").read_bytes() == (copy / "key.pt2").read_bytes()


def test_without_openvino_its_name_is_said(runner, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("deltadistill.command.exported.find_spec", lambda name: None)
    assert main(["export", str(runner), "--format", "openvino", "-o", str(tmp_path / "out")]) == 2
    assert "pip install 'deltadistill[openvino]', or --format onnx" in capsys.readouterr().err
