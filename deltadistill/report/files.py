"""Reading result files; every error names the file, the fault and the stage that makes the file."""

import csv
import json
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

Record = TypeVar("Record")


def require(path: Path, *, stage: str) -> Path:
    """Return ``path``; FileNotFoundError naming ``stage`` where there is no such file."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; the stage {stage} makes it, run that stage first")
    return path


def read_json(path: Path, kind: type[Record], *, stage: str) -> Record:
    """Read one JSON file into a validated record of type ``kind``."""
    text = require(path, stage=stage).read_text(encoding="utf-8")
    try:
        return TypeAdapter(kind).validate_python(json.loads(text))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}; run the stage {stage} again") from error
    except ValidationError as error:
        raise ValueError(f"{path} is malformed: {_faults(error)}; run the stage {stage} again") from error


def read_csv(path: Path, kind: type[Record], *, stage: str) -> tuple[Record, ...]:
    """Read a CSV file with a header into one validated record a row; an empty field is None."""
    with require(path, stage=stage).open(encoding="utf-8", newline="") as stream:
        rows = [{key: value or None for key, value in row.items() if key} for row in csv.DictReader(stream)]
    try:
        return TypeAdapter(tuple[kind, ...]).validate_python(rows)
    except ValidationError as error:
        raise ValueError(f"{path} is malformed: {_faults(error)}; run the stage {stage} again") from error


def _faults(error: ValidationError, limit: int = 3) -> str:
    """Say the first faults as ``lengths.3.miou: Field required``."""
    faults = [
        f"{'.'.join(map(str, fault['loc'])) or 'file'}: {fault['msg']}, got {str(fault['input'])[:60]!r}"
        for fault in error.errors()
    ]
    more = f" (and {len(faults) - limit} more)" if len(faults) > limit else ""
    return "; ".join(faults[:limit]) + more
