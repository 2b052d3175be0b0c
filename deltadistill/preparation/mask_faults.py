"""What can be wrong with a label image, in words."""

from collections.abc import Collection
from pathlib import Path

import cv2
import numpy as np

from deltadistill.data.picture import decode_picture


def label_fault(path: Path, size: tuple[int, int], allowed: Collection[int]) -> str | None:
    """Why a label image is refused; None where it is of `size` and holds label ids of `allowed` alone."""
    try:
        pixels = decode_picture(path, cv2.IMREAD_UNCHANGED, size=size)
    except ValueError as error:
        return str(error)
    if pixels.ndim != 2 or pixels.dtype != np.uint8:
        return (
            f"{path} is no grey 8-bit picture of label ids ({pixels.dtype}, {pixels.shape}); convert it if "
            "it has a palette or colours"
        )
    ids = np.flatnonzero(np.bincount(pixels.ravel(), minlength=256))
    strange = [int(given) for given in ids if given not in allowed]
    if strange:
        shown = ", ".join(map(str, strange[:10])) + (" …" if len(strange) > 10 else "")
        return f"{path} has label ids outside the class table: {shown}; add them there, or to ignore"
    return None
