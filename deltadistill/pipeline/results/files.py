"""Result files as records: what a stage writes is what is read, and checked, later.

Every error of reading names the file, the fault and the stage that makes the file.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from deltadistill.files import result_files
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


def write(path: Path, content: Any, *, kind: type | None = None, columns: Sequence[str] = ()) -> None:
    """Write a record as JSON, or records of one kind as the rows of a CSV file, as the name of `path` ends.

    kind: of the rows. columns: in place of all fields of the kind.
    """
    if path.suffix != ".csv":
        result_files.write_json(path, plain(content))
        return
    columns = columns or [field.name for field in fields(kind)]
    result_files.write_csv(path, columns, map(plain, content))


def plain(record: Any) -> dict[str, Any]:
    """A record as plain values, by the keys that its file has and in their order."""
    return TypeAdapter(type(record)).dump_python(record)


def records(kind: type[Record], rows: Iterable[Any]) -> list[Record]:
    """Mappings or objects with the fields of `kind` as records; ValueError for what it does not allow."""
    return TypeAdapter(list[kind]).validate_python(list(rows))


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
