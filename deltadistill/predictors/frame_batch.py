"""What a predictor is given: what is known of the streams at their beginning, then frame after frame."""

from dataclasses import dataclass, field
from functools import cached_property

from torch import Tensor

from deltadistill.blocks.schedules import KeySchedule, OnDemand
from deltadistill.data.frames import normalise


@dataclass(frozen=True)
class FrameBatch:
    """The frames of N streams at one moment.

    pictures: uint8 RGB (N, 3, H, W), on the processor.
    seconds: time stamps, float64 (N,), counted from each stream's beginning; None where the file or the
        manifest has none.
    motion: backward motion by the vectors of the video file, float32 (N, 2, H, W) in pixels, x then y, such
        that x_before = x + motion; NaN where a block has no vector (motion.codec_vectors). None where the
        file has none, and in the evaluations of a prepared data set, which keeps pictures and no vectors.
    """

    pictures: Tensor
    seconds: Tensor | None = None
    motion: Tensor | None = None

    @cached_property
    def normalised(self) -> Tensor:
        """The networks' input, float32 (N, 3, H, W), on the processor; made once, at its first use."""
        return normalise(self.pictures)


@dataclass(frozen=True)
class StreamInfo:
    """What is known of N streams before their first frame.

    size: (height, width) of their frames, pixels. frames_per_second: None where not known.
    schedule: decides which frames are key frames, from the pictures (`is_due`), and is told of each that was
        answered (`note`); it is at its beginning. By default only the first frame is one.
    """

    streams: int
    size: tuple[int, int]
    frames_per_second: float | None = None
    schedule: KeySchedule = field(default_factory=OnDemand)
