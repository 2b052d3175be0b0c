"""Networks of a user's own: a file that defines build(*, classes, **options), in networks/ or anywhere."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from torch import nn

from deltadistill.models.sources import split_file

FOLDER = Path("networks")


def names() -> list[str]:
    """Return the names of the networks in the folder, sorted."""
    return sorted(file.stem for file in FOLDER.glob("[a-z]*.py"))


def find(name: str) -> Callable[..., nn.Module] | None:
    """Return the builder in networks/<name>.py, relative to the working folder; None without such a file.

    The name is a plain word, so that a name from a network file leads nowhere but into that folder.
    Raises ValueError for a file without `build`.
    """
    file = FOLDER / f"{name}.py"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or not file.is_file():
        return None
    return _function(file, "build", module=f"networks.{name}")


def find_in_file(name: str) -> Callable[..., nn.Module]:
    """Return the function that `name`, file.py:function, names; a relative file is one of the working folder.

    Raises ValueError where there is no such file, or no such function in it.
    """
    file, function = split_file(name)
    if not file.is_file():
        raise ValueError(f"model {name!r}: there is no file {file} in {Path.cwd()}")
    return _function(file, function, module=f"networks_by_file.{file.resolve().as_posix()}")


def _function(file: Path, function: str, *, module: str) -> Callable[..., nn.Module]:
    found = getattr(_run(file, module), function, None)
    if not callable(found):
        raise ValueError(f"{file}: defines no {function}(*, classes, **options) that returns a network")
    return found


def _run(file: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None, file
    assert spec.loader is not None, file
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # code decides whose unfinished work it is (processes/work_folders.py)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
