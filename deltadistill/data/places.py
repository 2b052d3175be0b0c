"""Where the files of a data set may lie: in the manifest's folder, or in folders that dataset.json names.

A relative path stays in the manifest's folder, links followed; an absolute one lies below a folder that
dataset.json lists as `elsewhere`, so that one look there tells what a data set from someone else reads.
"""

import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

_LONGEST_NAME = 255  # bytes; file systems take no longer ones
_OUTSIDE = (
    "{} lies outside the data set's folder, and dataset.json does not list where under elsewhere; run the "
    "stage prepare_dataset again, which does"
)


def written(place: Path, folder: Path) -> str:
    """The path as the manifest has it: relative where the file lies in `folder`, which can then be moved."""
    text = os.path.abspath(place)
    inside = _is_below(text, folder) and _leads_into(text, folder)
    return os.path.relpath(text, folder) if inside else text


def elsewhere(places: Iterable[Path], folder: Path) -> tuple[Path, ...]:
    """The folder that all files outside `folder` have in common, where there are any."""
    outside = [text for text in (written(place, folder) for place in places) if os.path.isabs(text)]
    return (Path(os.path.commonpath([os.path.dirname(text) for text in outside])),) if outside else ()


def fault(text: str, folder: Path, allowed: tuple[Path, ...]) -> str | None:
    """Why a path in a manifest is refused; None where it may be read."""
    parts = text.split("/")
    overlong = any(len(part.encode(errors="replace")) > _LONGEST_NAME for part in parts)
    if not text.isprintable() or ".." in parts or overlong:
        return f"{text[:100]!r} is no plain path; write it without .., control characters and overlong names"
    if os.path.isabs(text):
        return None if any(_is_below(text, place) for place in (folder, *allowed)) else _OUTSIDE.format(text)
    place = os.path.join(folder, text)
    if _leads_into(place, folder):
        return None
    return (
        f"{text} is a link out of the data set's folder, to {os.path.realpath(place)}; copy the file, or "
        "write where it is as an absolute path"
    )


def _is_below(text: str, folder: Path) -> bool:
    return text.startswith(f"{str(folder).rstrip('/')}/")


def _leads_into(text: str, folder: Path) -> bool:
    """Whether a file is in `folder` when all links are followed."""
    place, name = os.path.split(text)
    real = os.path.realpath(text) if os.path.islink(text) else os.path.join(_real(place), name)
    return _is_below(real, Path(_real(str(folder))))


@cache
def _real(folder: str) -> str:
    return os.path.realpath(folder)
