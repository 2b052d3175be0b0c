"""Whether a picture file is what a data set says of it, from its header and its end alone."""

from collections.abc import Iterable
from pathlib import Path

from deltadistill.data.picture_end import has_end
from deltadistill.data.picture_size import is_animated_webp, picture_size

_HEADER = 1 << 20  # bytes; a camera puts a thumbnail and notes before the size
_HEAD, _TAIL = 16, 1 << 14  # bytes; the end marker may be followed by a little padding


def picture_fault(path: Path, size: tuple[int, int]) -> str | None:
    """What is wrong with a picture that should be of `size` (height, width), in words; None: nothing."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER)
        if not has_end(_ends(path)):
            return f"{path} is truncated: {path.stat().st_size} bytes without an end; copy it again"
        if is_animated_webp(head):
            return f"{path} is an animation of several pictures; write each as a picture of its own"
        found = picture_size(head)
    except FileNotFoundError:
        return f"{path} is missing"
    except OSError as error:
        return f"{path} cannot be read ({error.strerror})"
    if found is None:
        return f"{path} is not a picture"
    if found != size:
        return f"{path} is {found[0]}×{found[1]}; expected {size[0]}×{size[1]}"
    return None


def first_size(paths: Iterable[Path]) -> tuple[int, int] | None:
    """(height, width) of the first picture that tells it; None where none does."""
    for path in paths:
        try:
            with path.open("rb") as file:
                found = picture_size(file.read(_HEADER))
        except OSError:
            continue  # picture_fault says so
        if found:
            return found
    return None


def _ends(path: Path) -> bytes:
    """The first bytes, which tell the format, and the last."""
    with path.open("rb") as file:
        size = path.stat().st_size
        if size <= _HEAD + _TAIL:
            return file.read()
        head = file.read(_HEAD)
        file.seek(size - _TAIL)
        return head + file.read()
