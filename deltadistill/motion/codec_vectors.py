"""Motion by the vectors that a video file was compressed with, which its decoder knows without a search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.stream import VideoStream

_SIDE_DATA = "MOTION_VECTORS"


def export_vectors(stream: VideoStream) -> None:
    """Let the decoder of a stream that nothing was decoded of yet hand out its vectors with each frame."""
    from av.codec.context import Flags2

    stream.codec_context.flags2 |= Flags2.export_mvs


def motion_of(frame: VideoFrame, *, steps: int = 1) -> Tensor | None:
    """Backward motion of a decoded frame, float32 (2, H, W) in pixels, x then y: x_before = x + motion.

    NaN where a block has no vector to a frame before, as blocks that are coded anew; None for a frame without
    any: the first, every other that is coded by itself, and all of files whose codec has none (MJPEG, PNG) or
    whose decoder keeps its own (AV1, hardware).
    steps: how many frames before this one that frame is shown which vectors point to: 1 where the file has no
        B-frames; motion is taken for even, and divided by it. Which of several it is, vectors do not say.
    """
    found = frame.side_data.get(_SIDE_DATA)
    if found is None:
        return None
    motion = np.full((2, frame.height, frame.width), np.nan, np.float32)
    for vector in found.to_ndarray():
        if vector["source"] < 0:
            _put(motion, vector, steps)
    return None if np.isnan(motion).all() else torch.from_numpy(motion)


def _put(motion: np.ndarray, vector, steps: int) -> None:  # noqa: ANN001 - a row of a structured array
    """Fill a block, whose middle is the vector's destination."""
    width, height = int(vector["w"]), int(vector["h"])
    left, top = int(vector["dst_x"]) - width // 2, int(vector["dst_y"]) - height // 2
    scale = steps * max(int(vector["motion_scale"]), 1)
    block = motion[:, max(top, 0) : top + height, max(left, 0) : left + width]
    block[0], block[1] = int(vector["motion_x"]) / scale, int(vector["motion_y"]) / scale
