"""A change of library code makes the stages stale that use it: dvc.yaml names all they import."""

import ast
from functools import cache
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
STAGES = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
STAGES |= YAML(typ="safe").load(ROOT / "workflow" / "sweep" / "compare_settings.yaml")  # of every sweep
# How a stage is called, recorded and written decides nothing about its results; nor does what refuses a file.
EXEMPT = {
    "deltadistill/__init__.py",
    "deltadistill/files/atomic.py",
    "deltadistill/processes/launch.py",
    "deltadistill/pipeline/provenance.py",
    "deltadistill/pipeline/stage_arguments.py",
    "deltadistill/pipeline/store_reach.py",
    "deltadistill/pipeline/tracking.py",
    *(str(path.relative_to(ROOT)) for path in (ROOT / "deltadistill" / "params").glob("*.py")),
    *(str(path.relative_to(ROOT)) for path in (ROOT / "deltadistill" / "reading").glob("*.py")),
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_all_library_code_that_it_imports(stage):
    dependencies = STAGES[stage]["deps"]
    assert f"stages/{stage}.py" in dependencies
    missing = {
        path
        for path in imported(f"stages/{stage}.py") - EXEMPT
        if has_code(path) and not any(path == d or path.startswith(f"{d}/") for d in dependencies)
    }
    assert not missing, f"{stage} imports {sorted(missing)}; add them to its deps in dvc.yaml"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_no_library_code_that_it_does_not_use(stage):
    used = imported(f"stages/{stage}.py")
    named = [d for d in STAGES[stage]["deps"] if d.startswith("deltadistill/")]
    unused = [d for d in named if not any(path == d or path.startswith(f"{d}/") for path in used)]
    assert not unused, f"{stage} does not import {unused}; take them out of its deps in dvc.yaml"


@cache
def imported(path: str) -> frozenset[str]:
    """Files of the library that a file imports, directly and indirectly; a package's own file included."""
    found: set[str] = set()
    waiting = [path]
    while waiting:
        for name in direct_imports(waiting.pop()):
            for file in files_of(name):
                if file not in found:
                    found.add(file)
                    waiting.append(file)
    return frozenset(found)


def direct_imports(path: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in inner if file_of(name)}
            names |= modules if modules == inner else modules | {node.module}
    return {name for name in names if name.split(".")[0] == "deltadistill"}


def has_code(path: str) -> bool:
    """Whether a file holds more than a docstring, as the files of most packages do not."""
    return len(ast.parse((ROOT / path).read_text()).body) > 1


def files_of(name: str) -> list[str]:
    """The files a dotted name loads: its own and those of the packages around it, without the top's."""
    parts = name.split(".")
    around = [file_of(".".join(parts[:depth])) for depth in range(2, len(parts) + 1)]
    return [file for file in around or [file_of(name)] if file]


def file_of(name: str) -> str | None:
    path = name.replace(".", "/")
    return next((file for file in (f"{path}.py", f"{path}/__init__.py") if (ROOT / file).is_file()), None)
