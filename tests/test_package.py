"""The package as installed: version, types, what lies beside the modules, and what its reference shows."""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest

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
