"""The experiment's parameters: params.yaml as typed, frozen, validated objects."""

from pathlib import Path

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from deltadistill.params.dataset import PrepareDataset
from deltadistill.params.distill import Distill, DistillOptimiser, Search
from deltadistill.params.experiment import Params
from deltadistill.params.faults import fault
from deltadistill.params.training import NO_WEIGHTS, PretrainTeacher

__all__ = [
    "NO_WEIGHTS",
    "Distill",
    "DistillOptimiser",
    "Params",
    "PrepareDataset",
    "PretrainTeacher",
    "Search",
    "load",
    "parse",
]


def load(path: str | Path) -> Params:
    """Read and validate a parameter file.

    Raises ValueError that names every wrong key, its value and what is allowed.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such parameter file; run from the project's folder or give --params")
    try:
        content = YAML(typ="safe").load(path)
    except YAMLError as error:
        raise ValueError(f"{path}: not valid YAML: {error}") from None
    return parse(content, source=str(path))


def parse(content: object, *, source: str = "params") -> Params:
    """Validate the content of a parameter file; errors as for `load`."""
    if not isinstance(content, dict):
        raise ValueError(f"{source}: expected sections, got {type(content).__name__}")
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        faults = "\n".join(f"  {fault(details)}" for details in error.errors())
        raise ValueError(f"{source}: {error.error_count()} wrong value(s)\n{faults}") from None
