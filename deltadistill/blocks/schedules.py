"""Schedules of key frames: which frames of a stream are answered in full."""

from collections.abc import Sequence
from math import exp, isfinite
from numbers import Integral
from typing import Any, Protocol

import numpy as np

Frame = Any
"""A frame as it is given to a stream: a tensor, or an array where no PyTorch is (runtime/runner.py)."""


_STRIP = 2**16  # values at a time: they stay in a processor's cache, and their sum in 32 bits


class KeySchedule(Protocol):
    """Decides frame by frame which are key frames; the first one of a stream always is.

    Streams that run side by side share their key frames.
    """

    def is_due(self, frame: Frame) -> bool:
        """Whether the next frame (N, C, H, W) is to be a key frame."""

    def note(self, frame: Frame, *, is_key: bool) -> None:
        """Take down that this frame was answered, as a key frame or not; one that failed is not noted."""

    def refresh(self) -> None:
        """Make the next frame a key frame, with which a new sequence begins; from any thread, at any time."""

    def reset(self) -> None:
        """Begin again, as for the first frame of another stream."""


class OnDemand:
    """The first frame, and whichever one follows a `refresh()`."""

    def __init__(self) -> None:
        self._answered: object = None
        self.refresh()

    def is_due(self, frame: Frame) -> bool:
        """See `KeySchedule`."""
        self._seen = self._asked
        return self._seen is not self._answered

    def note(self, frame: Frame, *, is_key: bool) -> None:
        """See `KeySchedule`."""
        self._answered = self._seen

    def refresh(self) -> None:
        """See `KeySchedule`."""
        self._asked = object()  # not a flag, which a frame that has begun would clear unseen

    def reset(self) -> None:
        """See `KeySchedule`."""
        self.refresh()


class Gaps(OnDemand):
    """Sequences of the given lengths in turn, over and over: Gaps([2, 3]) has key frames 0, 2, 5, 7, 10 …

    A sequence that a refresh cuts short counts as one. Raises ValueError without lengths and for one below 1.
    """

    def __init__(self, lengths: Sequence[int]):
        if not lengths:
            raise ValueError("gaps need at least one length; Gaps([3]) is every third frame")
        self._lengths = tuple(_whole(length, "gap") for length in lengths)
        self._frames_since_key = self._sequences = 0  # the key frame included, the sequence now too
        super().__init__()

    @property
    def _length(self) -> int:
        return self._lengths[(self._sequences - 1) % len(self._lengths)]

    def is_due(self, frame: Frame) -> bool:
        """See `KeySchedule`."""
        return super().is_due(frame) or self._frames_since_key >= self._length

    def note(self, frame: Frame, *, is_key: bool) -> None:
        """See `KeySchedule`."""
        super().note(frame, is_key=is_key)
        self._frames_since_key = 1 if is_key else self._frames_since_key + 1
        self._sequences += is_key

    def reset(self) -> None:
        """See `KeySchedule`."""
        super().reset()
        self._sequences = 0


class FixedPeriod(Gaps):
    """Every `period`-th frame; ValueError for a period below 1."""

    def __init__(self, period: int):
        super().__init__([_whole(period, "period")])

    @property
    def period(self) -> int:
        """Frames from one key frame to the next; may be set, and holds from the next frame on."""
        return self._length

    @period.setter
    def period(self, period: int) -> None:
        self._lengths = (_whole(period, "period"),)


class Adaptive(OnDemand):
    """A key frame where the picture has changed by `threshold` since the last one.

    The change from a frame to the next is their mean absolute difference in the unit of the frames, grey
    levels from 0 to 255 for pictures; changes add up until a key frame. Of several streams the one that
    changed most decides. A frame of another shape is a key frame.

    longest: frames after which there is a key frame in any case; None: no such bound.
    Raises ValueError for a threshold that is not above 0 and for a `longest` below 1.
    """

    def __init__(self, threshold: float, *, longest: int | None = None):
        if isinstance(threshold, bool) or not threshold > 0:
            raise ValueError(f"threshold {threshold} must be above 0, in the unit of the frames")
        self.threshold = threshold
        self.longest = None if longest is None else _whole(longest, "longest")
        self._before: Frame | None = None
        self._asked_about: tuple[Frame | None, Any] = (None, 0)  # a frame, and what has changed with it
        self._change: Any = 0
        self._frames_since_key = 0
        super().__init__()

    def is_due(self, frame: Frame) -> bool:
        """See `KeySchedule`."""
        return super().is_due(frame) or self._frames_since_key == self.longest or self._has_changed(frame)

    def note(self, frame: Frame, *, is_key: bool) -> None:
        """See `KeySchedule`."""
        super().note(frame, is_key=is_key)
        about, change = self._asked_about
        self._change = 0 if is_key else (change if about is frame else self._change_at(frame))
        self._asked_about = (None, 0)
        self._frames_since_key = 1 if is_key else self._frames_since_key + 1
        self._before = _copy(frame)  # the caller may fill the same memory with the next frame

    def reset(self) -> None:
        """See `KeySchedule`."""
        super().reset()
        self._before = None

    def _has_changed(self, frame: Frame) -> bool:
        if self._before is None or frame.shape != self._before.shape:
            return True
        self._asked_about = frame, self._change_at(frame)
        return bool(self._asked_about[1].max() >= self.threshold)

    def _change_at(self, frame: Frame) -> Any:
        """What has changed since the key frame, of each stream (N,)."""
        assert self._before is not None  # the first frame is a key frame
        return self._change + _mean_difference(frame, self._before)


def _mean_difference(one: Frame, other: Frame) -> Any:
    """The mean absolute difference of each stream (N,)."""
    if isinstance(one, np.ndarray) and one.dtype == other.dtype == np.uint8:
        return _mean_difference_of_pictures(one.reshape(len(one), -1), other.reshape(len(one), -1))
    return abs(_as_floats(one) - _as_floats(other)).reshape(len(one), -1).mean(1)


def _mean_difference_of_pictures(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The same, in 8 bits and strip by strip: as floats it takes as long as a small network."""
    total = np.zeros(len(one))
    for start in range(0, one.shape[1], _STRIP):
        strip, before = one[:, start : start + _STRIP], other[:, start : start + _STRIP]
        total += (np.maximum(strip, before) - np.minimum(strip, before)).sum(1, dtype=np.uint32)
    return total / one.shape[1]


class AtRate(Adaptive):
    """As `Adaptive`, with a threshold that finds itself: in the long run so many frames are key frames.

    rate: share of key frames wanted, 1/3 for as many as every third frame. The first change seen, divided by
    the rate, is the threshold θ to begin with; then log θ ← log θ + `pace` · (k − rate), k = 1 on a key frame
    and 0 on others, which stands still where the share is `rate`. Begins anew with every stream.
    longest: as of `Adaptive`.
    Raises ValueError for a rate or a pace that is not between 0 and 1.
    """

    def __init__(self, rate: float, *, longest: int | None = None, pace: float = 0.1):
        for name, value in {"rate": rate, "pace": pace}.items():
            if isinstance(value, bool) or not 0 < value < 1:
                raise ValueError(f"{name} {value} must lie between 0 and 1")
        self._rate, self._pace = rate, pace
        super().__init__(float("inf"), longest=longest)

    def note(self, frame: Frame, *, is_key: bool) -> None:
        """See `KeySchedule`."""
        super().note(frame, is_key=is_key)
        if isfinite(self.threshold):
            self.threshold *= exp(self._pace * (is_key - self._rate))
        elif not is_key and (change := float(self._change.max())) > 0:
            self.threshold = change / self._rate

    def reset(self) -> None:
        """See `KeySchedule`."""
        super().reset()
        self.threshold = float("inf")


def _copy(frame: Frame) -> Frame:
    return frame.copy() if hasattr(frame, "astype") else frame.detach().clone()


def _as_floats(frame: Frame) -> Frame:
    """Frames of whole numbers as floats, whose differences may be below 0."""
    if hasattr(frame, "astype"):
        return frame if frame.dtype.kind == "f" else frame.astype("float32")
    return frame if frame.is_floating_point() else frame.float()


def _whole(length: int, what: str) -> int:
    if isinstance(length, bool) or not isinstance(length, Integral) or length < 1:
        raise ValueError(
            f"{what} {length!r} must be a whole number of frames, at least 1 (1: the teacher on every frame)"
        )
    return int(length)
