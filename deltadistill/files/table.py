"""Rows of a CSV file whose columns are known."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from deltadistill.files.limits import MOST_TABLE_BYTES
from deltadistill.files.text import read_text


def read_rows(path: Path, columns: Sequence[str], *, remedy: str) -> list[list[str]]:
    """Return the rows below the header, of any number of fields.

    Raises ValueError with path, fault and remedy, where the header is another too.
    """
    return read_table(path, columns, (), remedy=remedy)[1]


def read_table(
    path: Path, columns: Sequence[str], optional: Sequence[str], *, remedy: str
) -> tuple[list[str], list[list[str]]]:
    """Return the header, `columns` with any of the `optional` ones behind, in order, and the rows below it.

    Raises ValueError as `read_rows`.
    """
    text = read_text(path, most_bytes=MOST_TABLE_BYTES, remedy=remedy)
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = next(reader, [])
        if header != [*columns, *(name for name in optional if name in header)]:
            found, expected = ",".join(header)[:200], ",".join(columns)
            raise ValueError(f"{path}: columns are {found}; expected {expected}; {remedy}")
        return header, list(reader)
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}; {remedy}") from error
