"""Which files of this project a script imports, read off its source: nothing is imported for it."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

# How a stage is called, recorded and written decides nothing about its results; nor does what refuses a file.
WITHOUT_INFLUENCE = (
    "deltadistill/__init__.py",
    "deltadistill/registry.py",
    "deltadistill/files/",
    "deltadistill/processes/launch.py",
    "deltadistill/pipeline/__init__.py",
    "deltadistill/pipeline/params/",
    "deltadistill/pipeline/provenance.py",
    "deltadistill/pipeline/stage_arguments.py",
    "deltadistill/pipeline/store_reach.py",
    "deltadistill/pipeline/tracking.py",
)
_WRITERS = "deltadistill/files/result_files.py"  # decides digits
_TABLE = "registry.py"  # the entries that are used count, not the table


def files_behind(source: Path, root: Path = Path()) -> frozenset[Path]:
    """Files below `root` that decide what `source` does: itself, and all that it imports, at any depth.

    Left out are tables of a registry and what has no influence on results. Paths are relative to `root`.
    """
    found = {source}
    waiting = [source]
    while waiting:
        new = _imported(root, waiting.pop()) - found
        found |= new
        waiting += new
    return frozenset(path for path in found if _counts(path) and _has_code(root / path))


def file_of(module: str, root: Path = Path()) -> Path | None:
    """The file of a module of this project, relative to `root`; None for an installed package's."""
    path = Path(*module.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in candidates if (root / file).is_file()), None)


def _counts(path: Path) -> bool:
    name = path.as_posix()
    return path.name != _TABLE and (name == _WRITERS or not name.startswith(WITHOUT_INFLUENCE))


@cache
def _has_code(file: Path) -> bool:
    """Whether a file holds more than a docstring, as the files of most packages do not."""
    tree = ast.parse(file.read_bytes())
    return len(tree.body) > (ast.get_docstring(tree) is not None)


@cache
def _imported(root: Path, path: Path) -> frozenset[Path]:
    modules = {module for name in _names(root / path) for module in _modules(name, path, root)}
    return frozenset(file for module in modules if (file := file_of(module, root)))


def _names(file: Path) -> Iterator[str]:
    """Dotted names that a file imports, `module.name` for every name taken from a module."""
    tree = ast.parse(file.read_bytes(), filename=str(file))
    for node in _run(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from (f"{module}{'' if module.endswith('.') else '.'}{alias.name}" for alias in node.names)


def _run(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that are there for a type checker alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from _run(node)


def _modules(name: str, importer: Path, root: Path) -> Iterator[str]:
    """The modules that an import of a dotted name loads: its own, and the packages around it."""
    stripped = name.lstrip(".")
    parts = stripped.split(".")
    if dots := len(name) - len(stripped):
        parts = [*importer.parts[:-dots], *parts]
    elif _is_beside_a_script(parts[0], importer, root):
        parts = [*importer.parts[:-1], *parts]
    yield from (".".join(parts[:depth]) for depth in range(1, len(parts) + 1))


def _is_beside_a_script(name: str, importer: Path, root: Path) -> bool:
    """Whether Python may find a module in the importer's folder: in that of a script, in no package's."""
    is_of_project = file_of(name, root) is not None or (root / name).is_dir()
    return not is_of_project and not (root / importer).with_name("__init__.py").is_file()
