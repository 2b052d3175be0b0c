"""The package as installed: version, types, what lies beside the modules, and what its reference shows."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest
from preparation.small_videos import drifting, write_video

ROOT = Path(__file__).resolve().parents[1]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of a copy of the tracked files, built with the setuptools that is installed."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    shutil.copytree(
        ROOT / "deltadistill", source / "deltadistill", ignore=shutil.ignore_patterns("__pycache__")
    )
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir", built]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, source], check=True)
    (path,) = built.glob("*.whl")
    return path


def test_the_wheel_says_that_it_has_types_and_carries_every_file_of_the_package(wheel):
    tracked = subprocess.run(["git", "ls-files", "deltadistill"], cwd=ROOT, capture_output=True, text=True)
    there = set(ZipFile(wheel).namelist())
    assert "deltadistill/py.typed" in there
    assert set(tracked.stdout.splitlines()) - there == set()


def test_the_version_is_that_of_pyproject_and_costs_no_import_of_torch(wheel):
    code = "import sys, deltadistill; print(deltadistill.__version__, 'torch' in sys.modules)"
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(wheel)!r}); {code}"]
    printed = subprocess.run(command, cwd=wheel.parent, capture_output=True, text=True, check=True).stdout
    assert printed.split() == [VERSION, "False"]


def test_the_version_is_written_in_pyproject_alone_and_has_a_section_in_the_change_log():
    assert f"## [{VERSION}]" in (ROOT / "CHANGELOG.md").read_text()
    assert "version:" not in (ROOT / "CITATION.cff").read_text().replace("cff-version:", "")


def test_the_reference_names_what_is_loaded_on_first_use_and_modules_beside_it():
    code = (
        "import json, deltadistill, pdoc.doc; from workflow.api_reference import name_everything; "
        "name_everything(deltadistill); page = pdoc.doc.Module(deltadistill); "
        "print(json.dumps([list(page.members), "
        "[module.fullname for module in page.submodules]]))"
    )
    command = [sys.executable, "-c", code]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    members, modules = json.loads(printed)
    assert {"convert", "distill", "LinearStudent", "Stream"} <= set(members)
    assert {"deltadistill.blocks", "deltadistill.registry", "deltadistill.models"} <= set(modules)


NETWORK = """
import torch
from torch import nn

def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(),
                         nn.Conv2d(8, 4, 1)).eval()
"""


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Runs a command line of the wheel in an environment of its own, in a folder outside the repository."""
    place = tmp_path_factory.mktemp("installed")
    environment = place / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    options = ["--no-deps", "--no-index", "--quiet", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "pip", "--python", python, "install", *options, wheel], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    # What the wheel depends on, which no index is asked for here; this package is found before it.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    home = {"XDG_CACHE_HOME": str(place / "cache"), "HOME": str(place)}

    def run(*line: str) -> subprocess.CompletedProcess:
        command = [environment / "bin" / "deltadistill", *line]
        return subprocess.run(
            command, cwd=place, env=kept | home, capture_output=True, text=True, check=False
        )

    run.place, run.python, run.environment = place, python, kept | home
    return run


def said(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_all_commands_run_from_the_wheel_on_a_small_video(installed):
    pytest.importorskip("onnxruntime", reason="an optional package")
    (installed.place / "net.py").write_text(NETWORK)
    write_video(installed.place / "film.mp4", drifting(30))
    code = "import deltadistill; print(deltadistill.__file__)"
    options = {"cwd": installed.place, "env": installed.environment, "text": True}
    printed = subprocess.check_output([installed.python, "-c", code], **options)
    assert printed.startswith(str(installed.place))
    engine = ("--engine", "onnxruntime", "--threads", "1")
    inspected = said(installed("inspect", "net.py:build", "--size", "48x64", "--json"))
    assert inspected["macs"] > 0
    words = ["net.py:build", "film.mp4", "-o", "runner", "--minutes", "0.05", "--size", "48x64"]
    accelerated = said(installed("accelerate", *words, "--precision", "fp32", *engine, "--json"))
    assert (installed.place / "runner" / "report.html").is_file()
    words = accelerated["command"].split()
    assert words[:4] == ["deltadistill", "run", "runner", "film.mp4"]
    ran = said(installed(*words[1:], "--jsonl", "out.jsonl", "--json"))
    assert ran["frames"] == len((installed.place / "out.jsonl").read_text().splitlines()) == 30
    assert (installed.place / "out.mp4").stat().st_size > 0
    timed = said(
        installed("bench", "runner", "film.mp4", "--frames", "9", "--rounds", "1", *engine, "--json")
    )
    assert timed["frames"] == 9
    written = said(installed("export", "runner", "--format", "onnx", "-o", "graphs", "--json"))
    assert (installed.place / "graphs" / written["functions"]["frame"]["file"]).is_file()
