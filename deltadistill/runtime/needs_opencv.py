"""What only OpenCV can do, said where it is not installed."""

from collections.abc import Callable
from typing import TypeVar

Made = TypeVar("Made")


def made_with_opencv(make: Callable[[], Made], what: str) -> Made:
    """Make something whose module imports OpenCV; ValueError, with what to install, where that is missing."""
    try:
        return make()
    except ModuleNotFoundError as error:
        if error.name != "cv2":
            raise
        raise ValueError(
            f"{what} are moved along with the picture by OpenCV, which is not installed; "
            "pip install opencv-python-headless"
        ) from None
