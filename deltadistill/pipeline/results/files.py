"""Reading result files; every error names the file, the fault and the stage that makes the file."""

import csv
import io
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from deltadistill.files.limits import MOST_TABLE_BYTES
from deltadistill.files.strict_json import read_json as read_strictly
from deltadistill.files.text import read_text

Record = TypeVar("Record")


class MissingError(ValueError):
    """A stage that makes a file has not run; the message names both."""


def require(path: Path, *, stage: str) -> Path:
    """Return ``path``; MissingError naming ``stage`` where there is no such file."""
    if not path.is_file():
        raise MissingError(f"{path} is missing; the stage {stage} makes it, run that stage first")
    return path


def read_json(path: Path, kind: type[Record], *, stage: str) -> Record:
    """Read one JSON file into a validated record of type ``kind``."""
    content = read_strictly(require(path, stage=stage), remedy=f"run the stage {stage} again")
    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        raise ValueError(f"{path} is malformed: {_faults(error)}; run the stage {stage} again") from error


def read_csv(path: Path, kind: type[Record], *, stage: str) -> tuple[Record, ...]:
    """Read a CSV file with a header into one validated record a row; an empty field is None."""
    remedy = f"run the stage {stage} again"
    text = read_text(require(path, stage=stage), most_bytes=MOST_TABLE_BYTES, remedy=remedy)
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        rows = [{key: value or None for key, value in row.items() if key} for row in reader]
        return TypeAdapter(tuple[kind, ...]).validate_python(rows)
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}; {remedy}") from error
    except ValidationError as error:
        raise ValueError(f"{path} is malformed: {_faults(error)}; {remedy}") from error


def _faults(error: ValidationError, limit: int = 3) -> str:
    """Say the first faults as ``lengths.3.gmacs: Field required``."""
    faults = [
        f"{'.'.join(map(str, fault['loc'])) or 'file'}: {fault['msg']}, got {str(fault['input'])[:60]!r}"
        for fault in error.errors()
    ]
    more = f" (and {len(faults) - limit} more)" if len(faults) > limit else ""
    return "; ".join(faults[:limit]) + more
