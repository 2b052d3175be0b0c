"""Where the files of a data set may lie: in the manifest's folder, or in folders that dataset.json names.

A relative path stays in the manifest's folder, links followed; an absolute one lies below a folder that
dataset.json lists as `elsewhere`, so that one look there tells what a data set from someone else reads.
"""

import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path


def written(place: Path, folder: Path) -> str:
    """The path as the manifest has it: relative where the file lies in `folder`, which can then be moved."""
    place = Path(os.path.abspath(place))
    inside = place.is_relative_to(folder) and _leads_into(place, folder)
    return place.relative_to(folder).as_posix() if inside else place.as_posix()


def elsewhere(places: Iterable[Path], folder: Path) -> tuple[Path, ...]:
    """The folder that all files outside `folder` have in common, where there are any."""
    outside = [text for text in (written(place, folder) for place in places) if os.path.isabs(text)]
    return (Path(os.path.commonpath([os.path.dirname(text) for text in outside])),) if outside else ()


def fault(text: str, folder: Path, allowed: tuple[Path, ...]) -> str | None:
    """Why a path in a manifest is refused; None where it may be read."""
    try:
        return _fault(text, folder, allowed)
    except (OSError, RuntimeError) as error:  # too long a name, links in a circle
        why = getattr(error, "strerror", None) or "its links go in circles"
        return f"{text[:100]} cannot be looked at: {why}"


def _fault(text: str, folder: Path, allowed: tuple[Path, ...]) -> str | None:
    if not text.isprintable() or ".." in Path(text).parts:
        return f"{text!r} is no plain path; write it without .. and control characters"
    if not os.path.isabs(text):
        place = folder / text
        place.is_file()  # a name that no file can have raises here
        if _leads_into(place, folder):
            return None
        return (
            f"{text} is a link out of the data set's folder, to {place.resolve()}; copy the file, or write "
            "where it is as an absolute path"
        )
    if any(Path(text).is_relative_to(place) for place in (folder, *allowed)):
        Path(text).is_file()  # a name that no file can have raises here
        return None
    return (
        f"{text} lies outside the data set's folder, and dataset.json does not list where under elsewhere; "
        "run the stage prepare_dataset again, which does"
    )


def _leads_into(place: Path, folder: Path) -> bool:
    real = place.resolve() if place.is_symlink() else _resolved(place.parent) / place.name
    return real.is_relative_to(_resolved(folder))


@cache
def _resolved(folder: Path) -> Path:
    return folder.resolve()
