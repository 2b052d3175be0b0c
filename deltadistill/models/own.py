"""Networks of a user's own: networks/<name>.py defines build(*, classes, **options)."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path

from torch import nn

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
    spec = importlib.util.spec_from_file_location(f"networks.{name}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not callable(getattr(module, "build", None)):
        raise ValueError(f"{file}: defines no build(*, classes, **options) that returns a network")
    return module.build
