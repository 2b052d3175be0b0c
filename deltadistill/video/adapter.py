"""Adapters: a YAML or Python file that says how pictures go into a network and what comes out.

YAML, every key optional:

    pictures: {size: [512, 1024], fit: letterbox, order: bgr, mean: [0.48, 0.46, 0.41]}
    decoder: boxes            # labels, boxes, map, classes, tensors, or your own: file.py:function
    categories: [person, car] # names of classes, or a file with a name in every line
    threshold: 0.4            # boxes below are left out
    background: 0             # a class that is not drawn

Python: the same names as variables, and a function decode(outputs) that returns what decoders.py describes.
"""

import importlib.util
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deltadistill.files.plain_yaml import parse_yaml, read_yaml_text
from deltadistill.registry import is_path
from deltadistill.video.decoders import Decode, by_form
from deltadistill.video.found import Showing
from deltadistill.video.registry import DECODERS

NAMES = ("pictures", "decoder", "categories", "threshold", "background")
_IN_FILE = re.compile(r"(?P<file>.+\.py):(?P<function>[A-Za-z_]\w*)")


@dataclass(frozen=True)
class Adapter:
    """How pictures go in, as values of runtime/picture_form.py, what comes out, and how it is shown."""

    pictures: Mapping[str, Any] = field(default_factory=dict)
    decode: Decode = by_form
    showing: Showing = field(default_factory=Showing)


def read_adapter(path: str | Path, *, trusted: bool = True) -> Adapter:
    """Read a file; ValueError, which names it and the key, for what is no adapter.

    trusted: whether it may name code; if not, a Python file and decoders of one's own are refused.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: there is no adapter; expected a .yaml or .py file (docs/command.md)")
    if path.suffix == ".py":
        if not trusted:
            raise ValueError(f"{path} came with what is run and is code; name it yourself: --adapter {path}")
        module = _module(path)
        values = {name: getattr(module, name) for name in NAMES if hasattr(module, name)}
        return _adapter(values, path, decode=getattr(module, "decode", None))
    values = parse_yaml(read_yaml_text(path), name=path)
    if not isinstance(values, Mapping) or (unknown := sorted(set(map(str, values)) - set(NAMES))):
        what = f"it has {', '.join(unknown)}" if isinstance(values, Mapping) else "it is no mapping"
        raise ValueError(f"{path}: {what}; an adapter has {', '.join(NAMES)}")
    decoder = str(values.get("decoder", ""))
    if not trusted and decoder and decoder not in DECODERS.entries:
        raise ValueError(
            f"{path} came with what is run and names code, {decoder}; name it yourself: --adapter"
        )
    return _adapter(values, path)


def _adapter(values: Mapping[str, Any], path: Path, decode: Decode | None = None) -> Adapter:
    if decode is None and values.get("decoder"):
        decode = find_decoder(str(values["decoder"]), beside=path.parent)
    showing = Showing(
        categories=_categories(values.get("categories", ()), path),
        threshold=_number(values.get("threshold", Showing.threshold), path, "threshold"),
        background=values.get("background"),
    )
    if showing.background is not None and type(showing.background) is not int:
        raise ValueError(f"{path}: background is {showing.background!r}; expected the number of a class")
    return Adapter(dict(values.get("pictures") or {}), decode or by_form, showing)


def find_decoder(name: str, *, beside: Path = Path()) -> Decode:
    """A decoder by name: of decoders.py, or your own as file.py:function or package.module:function."""
    if found := _IN_FILE.fullmatch(name):
        file = Path(found["file"])
        function = getattr(_module(file if file.is_file() else beside / file), found["function"], None)
        if not callable(function):
            raise ValueError(f"decoder {name!r}: the file defines no {found['function']}(outputs)")
        return function
    if name not in DECODERS.entries and not is_path(name):
        listed = ", ".join(DECODERS)
        raise ValueError(f"decoder {name!r} is unknown; allowed: {listed}, or your own: file.py:function")
    return DECODERS.find(name)


def _categories(values: Any, path: Path) -> tuple[str, ...]:
    if isinstance(values, str):
        file = path.parent / values
        if not file.is_file():
            raise ValueError(f"{path}: there is no file of categories {file}")
        return tuple(line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    if not isinstance(values, list | tuple):
        raise ValueError(
            f"{path}: categories are {values!r:.50}; expected names, or a file with one in each line"
        )
    return tuple(map(str, values))


def _number(value: Any, path: Path, name: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ValueError(f"{path}: {name} is {value!r:.50}; expected a number in 0..1")
    return float(value)


def _module(file: Path) -> Any:
    if not file.is_file():
        raise ValueError(f"there is no file {file} in {Path.cwd()}")
    name = f"adapter_by_file.{file.resolve().as_posix()}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None, file
    assert spec.loader is not None, file
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
