"""Imports go down only (design: directions), and each special rule about them holds."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / "deltadistill").rglob("*.py"))
# From the bottom up: a module or package of the library may import those of earlier lines only.
LAYERS = (
    ("amortised_target", "candidates", "launch", "models"),
    ("commands", "processes"),
    ("reading", "atomic", "file_lock"),
    ("params", "store_reach", "commented_yaml", "stage_arguments"),
    ("provenance", "result_files", "network_file", "resumption"),
    ("blocks", "data"),
    ("conversion", "metrics", "preparation"),
    ("macs", "stream", "where"),
    ("architecture", "weights"),
    ("tasks",),
    ("variants",),
    ("evaluation", "labelling"),
    ("training", "consistency", "latency", "report", "tracking", "overlay"),
    ("distillation",),
    ("preflight",),
)
RANK = {unit: rank for rank, layer in enumerate(LAYERS) for unit in layer}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_module_imports_only_from_layers_below_its_own(file):
    importer = unit(file)
    if importer == "__init__":
        return  # the public names, on top of everything
    assert importer in RANK, f"{importer} has no layer yet; add it to LAYERS"
    for name, _ in imports(file):
        imported = library_unit(name)
        if imported and imported != importer:
            assert RANK[imported] < RANK[importer], f"{importer} imports {imported}, which is not below it"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_library_imports_its_own_modules_at_the_top_of_the_file(file):
    late = [name for name, inside in imports(file) if inside and library_unit(name)]
    assert not late, f"{late} are imported inside a function, which only slow or optional packages may be"


def test_only_tracking_imports_mlflow():
    users = {path.stem for path in [*FILES, *stages()] for name, _ in imports(path) if is_of(name, "mlflow")}
    assert users == {"tracking"}


def test_no_stage_imports_a_slow_package_before_its_help_is_shown():
    slow = {(path.stem, name) for path in stages() for name, inside in imports(path) if not inside}
    slow = {(stage, name) for stage, name in slow if is_of(name, "torch", "torchvision", "mlflow", "cv2")}
    assert not slow, f"{sorted(slow)} should be imported inside main()"


def test_stages_know_neither_dvc_nor_snakemake():
    names = {name for path in [*FILES, *stages()] for name, _ in imports(path)}
    assert not [name for name in names if is_of(name, "dvc", "snakemake")]


def test_no_stage_imports_another():
    names = {path.stem for path in stages()}
    assert not [name for path in stages() for name, _ in imports(path) if is_of(name, "stages", *names)]


def stages() -> list[Path]:
    return sorted((ROOT / "stages").glob("*.py"))


def unit(file: Path) -> str:
    """The module or package right below deltadistill/ that a file belongs to."""
    return file.relative_to(ROOT / "deltadistill").parts[0].removesuffix(".py")


def library_unit(name: str) -> str | None:
    parts = name.split(".")
    return parts[1] if parts[0] == "deltadistill" and len(parts) > 1 else None


def is_of(name: str, *packages: str) -> bool:
    return name.split(".")[0] in packages


def imports(file: Path) -> Iterator[tuple[str, bool]]:
    """Every imported dotted name, and whether that happens inside a function."""
    tree = ast.parse(file.read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside = {id(inner) for function in functions for inner in ast.walk(function)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in inside
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield f"{node.module}.{alias.name}", id(node) in inside
