"""Where a network comes from, by the form of its name; nothing is imported to tell.

    ddrnet23_slim                     the table of this library
    mine                              networks/mine.py, its function build
    folder/mine.py:function           a function of a file
    package.module:function           a function of a module, also of an installed one
    torchvision:lraspp_mobilenet_v3_large
    timm:mobilenetv3_small_050        where timm is installed
    folder/mine.onnx                  an ONNX file (by onnx2pytorch, where it is installed)

A function is called with `classes` and the options, and returns the network. The first two, torchvision's and
timm's lead to code that is installed for that; the others lead anywhere, so that names which come out of a
network file are taken only where the caller names them too (`building.build_from_file`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from deltadistill.models.registry import MODELS, SOURCES
from deltadistill.registry import Registry, is_path

if TYPE_CHECKING:  # the small processes of the pipeline that ask here need no torch
    from collections.abc import Callable

    from torch import nn

    Builder = Callable[..., nn.Module]

LEAD_ANYWHERE = ("file", "module", "onnx")
_IN_FILE = re.compile(r"(?P<file>[^:]+\.py):(?P<function>[A-Za-z_]\w*)")


def source_of(name: str) -> str:
    """The name in SOURCES of where the network `name` comes from."""
    if name in MODELS:
        return "table"
    if name.endswith(".onnx"):
        return "onnx"
    if _IN_FILE.fullmatch(name):
        return "file"
    if name.startswith(("torchvision:", "timm:")):
        return name.partition(":")[0]
    return "module" if is_path(name) else "networks"


def find(name: str) -> Builder | None:
    """The builder of a network; None where the folder networks/ has no such file.

    Raises ValueError for a file, a module or a name in them that is not there.
    """
    return SOURCES.find(source_of(name))(name)


def from_table(name: str) -> Builder:
    """The builder of a network of this library."""
    return MODELS.find(name)


def from_module(name: str) -> Builder:
    """The builder package.module:function; ValueError where that leads to nothing that can be called."""
    builder = Registry("model", {}).find(name)
    if not callable(builder):
        raise ValueError(f"model {name!r} is no function of classes and options that returns a network")
    return builder


def split_file(name: str) -> tuple[Path, str]:
    """File and function of a name file.py:function."""
    found = _IN_FILE.fullmatch(name)
    assert found is not None, name
    return Path(found["file"]), found["function"]


def modules_behind(name: str) -> Iterator[str]:
    """The modules that make the network `name`, as far as they are imported by their names."""
    yield SOURCES.path(source_of(name)).partition(":")[0]
    if name in MODELS:
        yield MODELS.path(name).partition(":")[0]
    elif source_of(name) == "module":
        yield name.partition(":")[0]


def file_behind(name: str) -> Path | None:
    """The user's file that the network `name` is read from; it need not be there. None for other sources."""
    source = source_of(name)
    if source == "onnx":
        return Path(name)
    if source == "file":
        return split_file(name)[0]
    return Path("networks", f"{name}.py") if source == "networks" else None
