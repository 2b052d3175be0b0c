"""Imports go down only (docs/architecture.md), and each special rule about them and about rooms holds."""

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "deltadistill"
FILES = sorted(LIBRARY.rglob("*.py"))
# From the bottom up: a room may import rooms of earlier lines only, and itself.
LAYERS = (
    ("registry",),
    ("files", "forward", "models", "motion"),
    ("blocks", "data", "processes"),
    ("video",),
    ("conversion", "metrics"),
    ("account", "tasks"),
    ("online",),
    ("predictors", "runtime", "stored", "training"),
    ("exporting",),
    ("evaluation", "objectives", "preparation"),
    ("distillation", "preparation/street"),
    ("acceleration",),
    ("command",),
    ("__main__",),
    ("pipeline/params",),
    ("pipeline/results",),
    ("pipeline", "pipeline/report/figures"),
    ("pipeline/report",),
)
RANK = {room: rank for rank, layer in enumerate(LAYERS) for room in layer}
ROOMS = sorted({file.parent for file in FILES} - {LIBRARY})
MOST_ROOMS = 30


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_module_imports_only_from_layers_below_its_own(file):
    importer = room(file)
    if importer == "__init__":
        return  # the public names, on top of everything
    assert importer in RANK, f"{importer} has no layer yet; add it to LAYERS"
    for imported in rooms_imported_by(file) - {importer}:
        assert RANK[imported] < RANK[importer], f"{importer} imports {imported}, which is not below it"


def test_no_room_imports_itself_through_others():
    imported = {}
    for file in FILES:
        if file != LIBRARY / "__init__.py":
            imported.setdefault(room(file), set()).update(rooms_imported_by(file) - {room(file)})
    assert list(TopologicalSorter(imported).static_order())  # CycleError names the circle


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_library_does_not_know_the_pipeline(file):
    known = {name for name in rooms_imported_by(file) if name.split("/")[0] == "pipeline"}
    assert not known or room(file).split("/")[0] == "pipeline"


def test_there_are_no_more_rooms_than_one_can_keep_in_mind():
    assert len(ROOMS) <= MOST_ROOMS, [path.relative_to(LIBRARY).as_posix() for path in ROOMS]


@pytest.mark.parametrize("path", ROOMS, ids=lambda path: path.relative_to(LIBRARY).as_posix())
def test_a_room_says_what_it_is_for_in_one_sentence(path):
    text = ast.get_docstring(ast.parse((path / "__init__.py").read_text()))
    assert text, "no docstring"
    assert re.fullmatch(r"[A-Z][^.]*(?:\.(?=\w)[^.]*)*\.", text), f"more or less than one sentence: {text!r}"


@pytest.mark.parametrize("path", [LIBRARY, *ROOMS], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_init_of_a_room_holds_names_and_no_logic(path):
    body = ast.parse((path / "__init__.py").read_text()).body
    assert [ast.unparse(node).splitlines()[0] for node in body if not is_about_names(node)] == []


@pytest.mark.parametrize("path", sorted(LIBRARY.rglob("registry.py")), ids=lambda path: path.parent.name)
def test_a_registry_of_a_room_holds_tables_and_nothing_else(path):
    if path.parent != LIBRARY:
        body = ast.parse(path.read_text()).body
        assert [ast.unparse(node) for node in body if not is_table(node)] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_library_imports_its_own_modules_at_the_top_of_the_file(file):
    late = [name for name, inside in imports(file) if inside and room_of_name(name)]
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


def room(file: Path) -> str:
    """The folder of a file below deltadistill/, or the name of a module that lies in none."""
    path = file.relative_to(LIBRARY)
    return path.parent.as_posix() if len(path.parts) > 1 else path.stem


def rooms_imported_by(file: Path) -> set[str]:
    return {imported for name, _ in imports(file) if (imported := room_of_name(name))}


def room_of_name(name: str) -> str | None:
    """The room that a dotted name of the library leads into; None for other names."""
    package, *parts = name.split(".")
    if package != "deltadistill" or not parts:
        return None
    folders = [part for depth, part in enumerate(parts) if LIBRARY.joinpath(*parts[: depth + 1]).is_dir()]
    return "/".join(folders) or parts[0]


def is_about_names(node: ast.stmt) -> bool:
    """Whether a statement only says which names there are, or finds one when it is first used."""
    if isinstance(node, ast.FunctionDef):
        return node.name in ("__getattr__", "__dir__")
    if isinstance(node, ast.If):
        return ast.unparse(node.test) == "TYPE_CHECKING" and all(map(is_about_names, node.body))
    return is_table(node)


def is_table(node: ast.stmt) -> bool:
    """Whether a statement is a docstring, an import, or gives a name to a value."""
    is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_docstring or isinstance(node, ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign)


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
