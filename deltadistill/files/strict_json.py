"""JSON without surprises: no key twice, no NaN or infinity, no numbers that nothing here can mean."""

import json
import math
from pathlib import Path
from typing import Any

from deltadistill.files.limits import MOST_JSON_BYTES
from deltadistill.files.text import read_text

_MOST_DIGITS = 18  # of a whole number: all that fit into 64 bits


def read_json(path: Path, *, remedy: str, most_bytes: int = MOST_JSON_BYTES) -> Any:
    """Return the content of a JSON file.

    remedy: what to do about a damaged file.
    Raises ValueError with path, fault and remedy, for nesting beyond what can be read too.
    """
    text = read_text(path, most_bytes=most_bytes, remedy=remedy)
    try:
        return json.loads(
            text,
            object_pairs_hook=_without_repetition,
            parse_constant=_no_number,
            parse_float=_finite,
            parse_int=_whole,
        )
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}; {remedy}") from error
    except RecursionError:
        raise ValueError(f"{path} is not JSON of ours: it is nested too deeply; {remedy}") from None


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} occurs twice")
    return content


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is too large")
    return value


def _whole(text: str) -> int:
    if len(text.lstrip("-")) > _MOST_DIGITS:
        raise ValueError(f"{text[:20]}… has more than {_MOST_DIGITS} digits")
    return int(text)
