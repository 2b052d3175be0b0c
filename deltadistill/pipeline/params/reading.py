"""Files of parameters and of sweeps, read and validated."""

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from deltadistill.files.plain_yaml import parse_yaml, read_yaml_text
from deltadistill.pipeline.params.experiment import Params
from deltadistill.pipeline.params.faults import fault
from deltadistill.pipeline.params.section import Section
from deltadistill.pipeline.params.sweep import ParameterSweep

Content = TypeVar("Content", bound=Section)


def load(path: str | Path) -> Params:
    """Read and validate a parameter file.

    Raises ValueError that names every wrong key, its value and what is allowed.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such parameter file; run from the project's folder or give --params")
    return parse(_read(path), source=str(path))


def parse(content: object, *, source: str = "params") -> Params:
    """Validate the content of a parameter file; errors as for `load`."""
    return _validated(Params, content, source)


def load_sweep(path: str | Path) -> ParameterSweep:
    """Read and validate a file of sweeps/; errors as for `load`."""
    path = Path(path)
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.yaml"))) or "none"
        raise ValueError(f"{path}: no such sweep; there are: {known}")
    return _validated(ParameterSweep, _read(path), str(path))


def _read(path: Path) -> object:
    return parse_yaml(read_yaml_text(path), name=path)


def _validated(kind: type[Content], content: object, source: str) -> Content:
    if not isinstance(content, dict):
        raise ValueError(f"{source}: expected sections, got {type(content).__name__}")
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        faults = "\n".join(f"  {fault(details)}" for details in error.errors())
        raise ValueError(f"{source}: {error.error_count()} wrong value(s)\n{faults}") from None
