"""Small result files: rows to CSV, values to JSON, each written whole or not at all."""

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from deltadistill.files import atomic


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows under the given columns; what a row does not have stays empty."""
    with atomic.file(path) as unfinished, open(unfinished, "w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_json(path: Path, content: object) -> None:
    """Write plain values, numbers to six significant digits; ValueError for NaN and infinities."""
    with atomic.file(path) as unfinished:
        unfinished.write_text(json.dumps(_rounded(content, path), indent=2, allow_nan=False) + "\n")


def _rounded(content: object, path: Path) -> object:
    if isinstance(content, Mapping):
        return {str(key): _rounded(value, path) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_rounded(value, path) for value in content]
    if isinstance(content, float):
        if not math.isfinite(content):
            raise ValueError(f"{path}: {content} is no result; something before went wrong")
        return float(f"{content:.6g}")
    return content
