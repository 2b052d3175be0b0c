"""Motion between a key frame and the present one, by DIS flow or motion vectors, where it explains them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from deltadistill.motion.dis import LEAST, Preset, dis_flow, grey, reduced
from deltadistill.motion.encoded import EncodedVectors
from deltadistill.motion.flow_macs import BILINEAR, dis_macs
from deltadistill.motion.moved import explaining, moved_flow
from deltadistill.motion.since_key import SinceKey


class FromKey(Protocol):
    """One stream's motion since its key frame; flows are float32 (h, w, 2), across and down, of one size.

    What does not bring the one picture nearer to the other is 0 (the photometric gate).
    """

    def see(self, picture: Tensor, motion: Tensor | None, *, is_key: bool) -> None:
        """Look at the next frame, uint8 (3, H, W), and its motion as in a FrameBatch."""

    def back(self) -> np.ndarray:
        """Where each pixel of the present frame was in the key frame: x_key = x + flow."""

    def forth(self) -> np.ndarray:
        """Where each pixel of the key frame has gone: x = x_key + flow."""

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the flows between frames of this size."""

    def macs(self, height: int, width: int) -> int:
        """MACs of a later frame of this size for one of the two, by the convention of flow_macs."""


class ByFlow:
    """DIS flow between the two pictures, in grey, no side longer than `longest` pixels (since_key.py)."""

    def __init__(self, *, preset: Preset, longest: int):
        self._flow = SinceKey(preset=preset, longest=longest)
        self._longest = longest

    def see(self, picture: Tensor, motion: Tensor | None, *, is_key: bool) -> None:
        """See FromKey."""
        self._flow.see(_last(picture), is_key=is_key)

    def back(self) -> np.ndarray:
        """See FromKey."""
        return self._flow.back()

    def forth(self) -> np.ndarray:
        """See FromKey."""
        return self._flow.forth()

    def size(self, height: int, width: int) -> tuple[int, int]:
        """See FromKey."""
        return reduced(height, width, self._longest)

    def macs(self, height: int, width: int) -> int:
        """See FromKey; a flow, and for the gate one moved picture."""
        height, width = self.size(height, width)
        return dis_macs(self._flow.dis, height, width) + BILINEAR * height * width


class ByVectors:
    """Motion vectors from frame to frame, joined to one motion since the key frame.

    vectors: gives a frame's backward motion float32 (2, H, W), NaN where it has none, or None; a place
    without stays where it is.
    """

    def __init__(self, vectors: Callable[[Tensor, Tensor | None], Tensor | None]):
        self._vectors = vectors

    def see(self, picture: Tensor, motion: Tensor | None, *, is_key: bool) -> None:
        """See FromKey."""
        found = self._vectors(picture, motion)  # on key frames too: an encoder sees every frame
        self._now = grey(_last(picture), max(picture.shape))
        if is_key:
            self._key = self._now
            self._back = self._forth = np.zeros((*self._now.shape, 2), np.float32)
        elif found is not None:
            self._join(np.nan_to_num(found.permute(1, 2, 0).numpy()))

    def _join(self, step: np.ndarray) -> None:
        """step: where each pixel of the frame was in the one before."""
        self._back = step + moved_flow(self._back, step)
        self._forth = self._forth - moved_flow(step, self._forth)

    def back(self) -> np.ndarray:
        """See FromKey."""
        return explaining(self._back, self._now, self._key)

    def forth(self) -> np.ndarray:
        """See FromKey."""
        return explaining(self._forth, self._key, self._now)

    def size(self, height: int, width: int) -> tuple[int, int]:
        """See FromKey; that of the frames."""
        return height, width

    def macs(self, height: int, width: int) -> int:
        """See FromKey; two components joined, a picture moved for the gate; vectors cost nothing."""
        return 3 * BILINEAR * height * width


def _last(picture: Tensor) -> np.ndarray:
    """A picture with its channels last, as OpenCV has them."""
    return picture.permute(1, 2, 0).contiguous().numpy()


class OfTheFile:
    """Vectors as frames come with them; ValueError where no frame of the stream has had any."""

    def __init__(self) -> None:
        self._frames, self._seen = 0, False

    def __call__(self, picture: Tensor, motion: Tensor | None) -> Tensor | None:
        """The frame's own, None where the codec coded it by itself."""
        self._frames += 1
        self._seen |= motion is not None
        if self._frames == _FIRST_FRAMES and not self._seen:
            raise ValueError(
                f"none of the first {_FIRST_FRAMES} frames has motion vectors: the file's codec has none, or "
                "they come from a prepared data set, which keeps pictures alone; motion: encoded encodes "
                "them here, motion: flow looks for it in the pictures"
            )
        return motion


_FIRST_FRAMES = 3  # the first has none, and a key frame of the codec may follow


class Encoded:
    """Vectors of an H.264 encoder that sees the pictures here; a frame's own are not looked at."""

    def __init__(self) -> None:
        self._encoder = EncodedVectors()

    def __call__(self, picture: Tensor, motion: Tensor | None) -> Tensor | None:
        """Those of the encoder."""
        return self._encoder.motion(picture)


def from_key(motion: str, *, preset: Preset = "fast", longest: int = 320) -> FromKey:
    """Make one stream's motion by name: flow (DIS), vectors (of the video's file), encoded (here).

    preset, longest: of DIS. ValueError for other names and for what cannot be meant.
    """
    made: dict[str, Callable[[], Any]] = {
        "flow": lambda: ByFlow(preset=preset, longest=longest),
        "vectors": lambda: ByVectors(OfTheFile()),
        "encoded": lambda: ByVectors(Encoded()),
    }
    if motion not in made:
        raise ValueError(f"motion {motion!r} is unknown; allowed: {', '.join(made)}")
    dis_flow(preset)  # refused, needed or not
    if longest < LEAST:
        raise ValueError(f"longest is {longest} pixels; expected at least {LEAST}")
    return made[motion]()
