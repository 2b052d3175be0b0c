"""Values of options: sizes and lists of numbers, each refused in a sentence that says what is expected."""

import re
from argparse import ArgumentTypeError
from typing import Any

from deltadistill.files.plain_yaml import parse_yaml


def size(text: str) -> tuple[int, int]:
    """HEIGHTxWIDTH as (height, width) in pixels, such as 512x1024; one number means a square."""
    found = re.fullmatch(r"(\d{1,5})(?:[x×](\d{1,5}))?", text.strip(), re.ASCII)
    if found is None or 0 in (height := int(found[1]), width := int(found[2] or found[1])):
        raise ArgumentTypeError(f"{text!r} is no size; expected HEIGHTxWIDTH in pixels, such as 512x1024")
    return height, width


def whole_number(text: str) -> int:
    """A whole number from 1."""
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)


def whole_numbers(text: str) -> tuple[int, ...]:
    """Whole numbers from 1 with commas between them, such as 3,10."""
    return tuple(whole_number(part) for part in text.split(","))


def setting(text: str) -> tuple[str, Any]:
    """NAME=VALUE, the value as YAML has it: numbers, words, lists."""
    name, separator, value = text.partition("=")
    if not separator or not name.isidentifier():
        raise ArgumentTypeError(f"{text!r} is no setting; expected NAME=VALUE, such as width=32")
    try:
        return name, parse_yaml(value, name=f"the value of {name}")
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def share(text: str) -> float:
    """A number in 0..1."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise ArgumentTypeError(f"{text!r} is no number in 0..1")
    return number


def minutes(text: str) -> float:
    """A number above 0."""
    return _above_0(text, "minutes", below=1e6)


def mebibytes(text: str) -> float:
    """A number above 0."""
    return _above_0(text, "MiB", below=1e9)


def _above_0(text: str, of: str, *, below: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 < number < below:
        raise ArgumentTypeError(f"{text!r} is no number of {of} above 0")
    return number
