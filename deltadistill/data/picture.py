"""Decodes a picture file: whole, of a size that was looked at before, or not at all."""

from pathlib import Path

import cv2
import numpy as np

from deltadistill.data.picture_end import has_end, png_parts_fit
from deltadistill.data.picture_size import is_animated_webp, picture_size
from deltadistill.files.limits import MOST_PICTURE_BYTES, MOST_PIXELS

_REMEDY = "make or copy it again"


def decode_picture(path: Path, mode: int, *, size: tuple[int, int] | None = None) -> np.ndarray:
    """Return the pixels (H, W) or (H, W, 3), BGR, as cv2.imdecode with `mode` gives them.

    size: (height, width) that the picture must have; without it, it may have up to MOST_PIXELS.
    Raises ValueError with the path for a file that is missing, truncated, damaged, no picture of a known
    format, or of another size.
    """
    data = _read(path)
    found = picture_size(data)
    if found is None:
        raise ValueError(f"{path} is not a picture that can be read ({len(data)} bytes); {_REMEDY}")
    if size and found != size:
        raise ValueError(f"{path} is {_by(found)}; its data set is {_by(size)}")
    if not 0 < found[0] * found[1] <= MOST_PIXELS:
        raise ValueError(f"{path} is {_by(found)}; pictures of 1 to {MOST_PIXELS} pixels are read")
    if is_animated_webp(data):
        raise ValueError(f"{path} is an animation of several pictures; give it as a video of its own")
    if not has_end(data) or not png_parts_fit(data):
        raise ValueError(f"{path} is truncated: its {len(data)} bytes lack the end; {_REMEDY}")
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), mode)
    except cv2.error as error:
        raise ValueError(f"{path} is damaged ({error.err}); {_REMEDY}") from error
    if pixels is None:
        raise ValueError(f"{path} is not a picture that can be read ({len(data)} bytes); {_REMEDY}")
    if pixels.shape[:2] not in (found, found[::-1]):  # a JPEG may be turned by what its camera noted
        raise ValueError(f"{path} is {_by(pixels.shape)}, its header says {_by(found)}; {_REMEDY}")
    if size and pixels.shape[:2] != size:
        raise ValueError(f"{path} is {_by(pixels.shape)}; its data set is {_by(size)}")
    return pixels


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MOST_PICTURE_BYTES:
            raise ValueError(f"{path} has more than the {MOST_PICTURE_BYTES} bytes allowed for a picture")
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be opened: {error.strerror}") from error


def _by(shape: tuple[int, ...]) -> str:
    return f"{shape[0]}×{shape[1]}"
