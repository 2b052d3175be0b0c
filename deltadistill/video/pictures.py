"""How a video's pictures go into a network: size, fit, order of colours, mean and deviation."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

import cv2
import numpy as np

from deltadistill.data.letterbox import Letterbox

Fit = Literal["stretch", "letterbox", "crop"]
Order = Literal["rgb", "bgr"]
_FITS, _ORDERS = ("stretch", "letterbox", "crop"), ("rgb", "bgr")


@dataclass(frozen=True)
class Pictures:
    """What is done with a picture before a network sees it.

    size: (height, width) of the network's frames in pixels; None: that of the video.
    fit: "stretch" scales both sides on their own; "letterbox" scales the whole picture and fills below and
        right; "crop" takes the largest centred window of the shape of `size`.
    shown: the share of the window's sides that is kept with "crop" (0.875: what ImageNet's networks see).
    order: of the colours in the network's three channels.
    mean, deviation: of each channel, in the order of the channels, on values of 0..1: a channel becomes
        (value / 255 − mean) / deviation.
    """

    size: tuple[int, int] | None = None
    fit: Fit = "stretch"
    shown: float = 1.0
    order: Order = "rgb"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    deviation: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        if self.size is not None and (len(self.size) != 2 or not all(_is_whole(side) for side in self.size)):
            raise ValueError(f"size of pictures is {self.size}; expected (height, width) in pixels, or none")
        if self.fit not in _FITS:
            raise ValueError(f"fit of pictures is {self.fit!r}; expected one of {', '.join(_FITS)}")
        if self.order not in _ORDERS:
            raise ValueError(f"order of colours is {self.order!r}; expected one of {', '.join(_ORDERS)}")
        if not 0 < self.shown <= 1:
            raise ValueError(f"shown is {self.shown}; expected the share of a side that is kept, in (0, 1]")
        for name in ("mean", "deviation"):
            if len(values := getattr(self, name)) != 3 or not all(map(_is_number, values)):
                raise ValueError(f"{name} of pictures is {values}; expected a number for each of 3 channels")
        if not all(value > 0 for value in self.deviation):
            raise ValueError(f"deviation of pictures is {self.deviation}; expected numbers above 0")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Pictures":
        """The same from plain values, as `as_dict` gives them; ValueError for what is none of them."""
        known = [field.name for field in fields(cls)]
        if unknown := sorted(set(values) - set(known)):
            raise ValueError(f"pictures have no {', '.join(unknown)}; expected some of {', '.join(known)}")
        return cls(
            **{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON and YAML."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }

    def of_size(self, size: tuple[int, int]) -> "Pictures":
        """The same for frames of another size."""
        return replace(self, size=size)

    def frame(self, pixels: np.ndarray) -> np.ndarray:
        """A picture uint8 RGB (H, W, 3) as the network's frame: uint8 (h, w, 3), not normalised."""
        fitted = self._fitted(pixels)
        return np.ascontiguousarray(fitted[..., ::-1] if self.order == "bgr" else fitted)

    def normalised(self, frame: np.ndarray) -> np.ndarray:
        """A frame uint8 (h, w, 3) as the numbers that the network computes with: float32 (1, 3, h, w)."""
        scale = np.float32(1) / (np.float32(255) * np.asarray(self.deviation, np.float32))
        shift = np.asarray(self.mean, np.float32) / np.asarray(self.deviation, np.float32)
        return np.ascontiguousarray((frame * scale - shift).transpose(2, 0, 1)[None], np.float32)

    def window(self, source: tuple[int, int]) -> tuple[float, float, float, float]:
        """Where the network's frame lies in a picture of size `source`: (left, top, right, bottom) in pixels.

        With "letterbox" it reaches beyond the picture, to the right or below.
        """
        height, width = source
        if self.size is None or self.fit == "stretch":
            return 0.0, 0.0, float(width), float(height)
        if self.fit == "letterbox":
            inner = Letterbox(source, self.size).inner
            return 0.0, 0.0, width * self.size[1] / inner[1], height * self.size[0] / inner[0]
        tall, wide = self._cropped(source)
        left, top = (width - wide) // 2, (height - tall) // 2
        return float(left), float(top), float(left + wide), float(top + tall)

    def _fitted(self, pixels: np.ndarray) -> np.ndarray:
        if self.size is None:
            return pixels
        if self.fit == "letterbox":
            return Letterbox(pixels.shape[:2], self.size).image(pixels)
        if self.fit == "crop":
            left, top, right, bottom = map(int, self.window(pixels.shape[:2]))
            pixels = pixels[top:bottom, left:right]
        return scaled(pixels, self.size)

    def _cropped(self, source: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the window."""
        assert self.size is not None
        scale = min(source[0] / self.size[0], source[1] / self.size[1]) * self.shown
        return tuple(max(1, round(side * scale)) for side in self.size)


def scaled(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture (H, W, …) at `size` (height, width): by areas where it shrinks, else between neighbours."""
    if pixels.shape[:2] == size:
        return pixels
    way = cv2.INTER_AREA if size[0] < pixels.shape[0] else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(pixels), size[::-1], interpolation=way)


def _is_whole(value: object) -> bool:
    return type(value) is int and value > 0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
