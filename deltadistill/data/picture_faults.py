"""Whether a picture file is what a data set says of it, from its header and its end alone."""

from pathlib import Path

from PIL import Image, UnidentifiedImageError

from deltadistill.data.picture_end import has_end

_HEAD, _TAIL = 16, 1 << 14  # bytes; the end marker may be followed by a little padding


def picture_fault(path: Path, size: tuple[int, int]) -> str | None:
    """What is wrong with a picture that should be of `size` (height, width), in words; None: nothing."""
    try:
        if not has_end(_ends(path)):
            return f"{path} is truncated: {path.stat().st_size} bytes without an end; copy it again"
        found = picture_size(path)
    except FileNotFoundError:
        return f"{path} is missing"
    except (OSError, UnidentifiedImageError) as error:
        return f"{path} is not a picture ({error})"
    if found != size:
        return f"{path} is {found[0]}×{found[1]}; expected {size[0]}×{size[1]}"
    return None


def picture_size(path: Path) -> tuple[int, int]:
    """(height, width) in pixels, as stored; only the header is read."""
    with Image.open(path) as picture:
        return picture.height, picture.width


def _ends(path: Path) -> bytes:
    """The first bytes, which tell the format, and the last."""
    with path.open("rb") as file:
        size = path.stat().st_size
        if size <= _HEAD + _TAIL:
            return file.read()
        head = file.read(_HEAD)
        file.seek(size - _TAIL)
        return head + file.read()
