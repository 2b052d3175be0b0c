"""Animated WebP files, which FFmpeg does not read: all frames with their times, by Pillow."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from deltadistill.data.picture_size import is_animated_webp, picture_size
from deltadistill.files.limits import MOST_PICTURE_BYTES, MOST_PIXELS
from deltadistill.video.video_frame import VideoFrame

_HEAD = 64  # bytes, in which the header lies


def holds_animated_webp(path: Path) -> bool:
    """Whether a file is an animated WebP, whatever its name."""
    with path.open("rb") as file:
        return is_animated_webp(file.read(_HEAD))


def read_animated_webp(path: Path) -> Iterator[VideoFrame]:
    """Yield its frames; ValueError with the path where it is too large, truncated or damaged."""
    with path.open("rb") as file:
        height, width = picture_size(file.read(_HEAD)) or (0, 0)
    if not 0 < height * width <= MOST_PIXELS or path.stat().st_size > MOST_PICTURE_BYTES:
        raise ValueError(f"{path} is {height}×{width}; animations of 1 to {MOST_PIXELS} pixels are read")
    try:
        yield from _frames(path)
    except (OSError, EOFError, ValueError) as error:
        raise ValueError(f"{path} is truncated or damaged ({error}); make or copy it again") from error


def _frames(path: Path) -> Iterator[VideoFrame]:
    try:
        from PIL import Image  # an install that only runs runners has none
    except ImportError:
        raise ValueError(f"{path}: animations in WebP are read by Pillow; pip install pillow") from None
    milliseconds = 0
    with Image.open(path, formats=("WEBP",)) as animation:
        for number in range(animation.n_frames):
            animation.seek(number)
            pixels = np.asarray(animation.convert("RGB"))
            yield VideoFrame(pixels, milliseconds / 1000)
            milliseconds += int(animation.info["duration"])
