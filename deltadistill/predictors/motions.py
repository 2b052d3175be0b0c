"""Motion since the key frame of all streams that run side by side."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor

from deltadistill.motion.dis import Preset
from deltadistill.motion.from_key import FromKey, from_key
from deltadistill.predictors.frame_batch import FrameBatch


class Motions:
    """One `FromKey` for each stream; motion, preset, longest: as `motion.from_key.from_key` takes them."""

    def __init__(self, motion: str, *, preset: Preset, longest: int):
        self._make = partial(from_key, motion, preset=preset, longest=longest)
        self._one = self._make()  # says what is wrong with the settings
        self._of_streams: list[FromKey] = []

    def begin(self, streams: int) -> None:
        """Begin so many streams anew."""
        self._of_streams = [self._make() for _ in range(streams)]

    def see(self, frame: FrameBatch, *, is_key: bool) -> None:
        """Look at the next frame of every stream."""
        for n, motion in enumerate(self._of_streams):
            motion.see(frame.pictures[n], None if frame.motion is None else frame.motion[n], is_key=is_key)

    def __iter__(self) -> Iterator[FromKey]:
        return iter(self._of_streams)

    def back(self) -> Tensor:
        """Where each pixel was in the key frame, float32 (N, 2, h, w)."""
        flows = np.stack([motion.back() for motion in self._of_streams])
        return torch.from_numpy(flows).permute(0, 3, 1, 2)

    def flow_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the flows between frames of this size."""
        return self._one.size(*size)

    def macs(self, size: tuple[int, int]) -> int:
        """MACs of a later frame of this size, of one stream."""
        return self._one.macs(*size)
