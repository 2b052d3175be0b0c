"""Schedules of key frames: which frames of a stream are answered in full."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor


class KeySchedule(Protocol):
    """Decides frame by frame which are key frames; the first one of a stream always is.

    Streams that run side by side share their key frames.
    """

    def is_key(self, frame: Tensor) -> bool:
        """Whether the next frame (N, C, H, W) is a key frame; called once per frame, in order."""

    def refresh(self) -> None:
        """Make the next frame a key frame, with which a new sequence begins."""

    def reset(self) -> None:
        """Begin again, as for the first frame of another stream."""


class OnDemand:
    """The first frame, and whichever frame follows a `refresh()`."""

    def __init__(self):
        self._is_due = True

    def is_key(self, frame: Tensor) -> bool:
        """See `KeySchedule`."""
        is_due, self._is_due = self._is_due, False
        return is_due

    def refresh(self) -> None:
        """See `KeySchedule`."""
        self._is_due = True

    def reset(self) -> None:
        """See `KeySchedule`."""
        self._is_due = True


class Gaps:
    """Sequences of the given lengths in turn, over and over: Gaps([2, 3]) has key frames 0, 2, 5, 7, 10 …

    Raises ValueError without lengths, and for one below 1.
    """

    def __init__(self, lengths: Sequence[int]):
        if not lengths or any(type(length) is not int or length < 1 for length in lengths):
            raise ValueError(f"gaps {list(lengths)} must be whole numbers of at least 1, one or more of them")
        self._lengths = tuple(lengths)
        self.reset()

    def is_key(self, frame: Tensor) -> bool:
        """See `KeySchedule`."""
        is_key = self._left == 0
        if is_key:
            self._left = self._lengths[self._sequence % len(self._lengths)]
            self._sequence += 1
        self._left -= 1
        return is_key

    def refresh(self) -> None:
        """See `KeySchedule`; the sequence that this cuts short counts as one."""
        self._left = 0

    def reset(self) -> None:
        """See `KeySchedule`."""
        self._left = self._sequence = 0


class FixedPeriod(Gaps):
    """Every `period`-th frame; ValueError for a period below 1."""

    def __init__(self, period: int):
        if period < 1:
            raise ValueError(f"period {period} must be at least 1 (1 is the teacher on every frame)")
        super().__init__([period])


class Adaptive:
    """A key frame where the picture has changed by `threshold` since the last one.

    The change from a frame to the next is their mean absolute difference in the unit of the frames, grey
    levels from 0 to 255 for pictures; changes add up until a key frame. Of several streams the one that
    changed most decides. A frame of another shape is a key frame.

    longest: frames after which there is a key frame in any case; None: no such bound.
    Raises ValueError for a threshold that is not above 0 and for a `longest` below 1.
    """

    def __init__(self, threshold: float, *, longest: int | None = None):
        if not threshold > 0:
            raise ValueError(f"threshold {threshold} must be above 0, in the unit of the frames")
        if longest is not None and longest < 1:
            raise ValueError(f"longest {longest} must be at least 1 frame, or None")
        self._threshold = threshold
        self._longest = longest
        self.reset()

    def is_key(self, frame: Tensor) -> bool:
        """See `KeySchedule`."""
        is_key = self._must_be_key(frame)
        self._before = frame.detach().clone()  # the caller may fill the same memory with the next frame
        self._frames = 1 if is_key else self._frames + 1
        if is_key:
            self._change = frame.new_zeros(len(frame), dtype=self._unit(frame))
        return is_key

    def refresh(self) -> None:
        """See `KeySchedule`."""
        self._before = None

    def reset(self) -> None:
        """See `KeySchedule`."""
        self._before: Tensor | None = None
        self._frames = 0

    def _must_be_key(self, frame: Tensor) -> bool:
        if self._before is None or frame.shape != self._before.shape or self._frames == self._longest:
            return True
        unit = self._unit(frame)
        self._change += (frame.to(unit) - self._before.to(unit)).abs().flatten(1).mean(1)
        return bool(self._change.max() >= self._threshold)

    @staticmethod
    def _unit(frame: Tensor) -> torch.dtype:
        return frame.dtype if frame.is_floating_point() else torch.float32
