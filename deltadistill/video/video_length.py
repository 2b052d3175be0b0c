"""Whether a video was read to its end: what the container announces, against the time that frames cover.

Frames that a header counts are no measure where times are known: a cut without new encoding keeps frames
before the first one shown, and recorders drop frames whose time the ones before them fill.
"""

import math
from dataclasses import dataclass

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from deltadistill.video.main_stream import seconds_said

# Streams without a container: their times and lengths are guessed from a frame rate or a bit rate.
RAW_FORMATS = ("mpegvideo", "m4v", "h264", "hevc", "av1", "obu", "mjpeg")
_ENOUGH = 0.95  # of what a header announces


@dataclass(frozen=True)
class Announced:
    """What the container says of its video, 0 where unsaid: seconds from `start`, frames, frames a second."""

    seconds: float = 0.0
    start: float = 0.0
    frames: int = 0
    rate: float = 0.0

    def is_reached(self, count: int, end: float) -> bool:
        """Whether `count` frames, of which the last is shown until `end`, are the whole video."""
        if math.isinf(end):  # without times only frames can be counted
            return count >= _ENOUGH * self.frames
        if self.seconds:
            return end - self.start >= _ENOUGH * self.seconds
        return not self.rate or end - self.start >= _ENOUGH * self.frames / self.rate

    def __str__(self) -> str:
        frames = self.frames or round(self.seconds * self.rate)
        about = "" if self.frames else "about "
        parts = [f"{self.seconds:.2f} s"] if self.seconds else []
        return ", ".join(parts + ([f"{about}{frames} frames"] if frames else []))


def announced(container: InputContainer, stream: VideoStream) -> Announced:
    """What is said of `stream`; nothing where it has no container."""
    if container.format.name in RAW_FORMATS:
        return Announced()
    rate, frames = float(stream.average_rate or 0), stream.frames
    start = float((stream.start_time or 0) * stream.time_base)
    if container.format.name == "avi" and frames and rate:
        # Its header counts ticks; FFmpeg shortens the duration to what the bytes of a cut file can hold.
        return Announced(frames / rate, start, frames, rate)
    if stream.duration:
        return Announced(seconds_said(stream) or 0.0, start, frames, rate)
    if seconds := seconds_said(stream):  # Matroska's tag is the time of the end
        return Announced(seconds, 0.0, frames, rate)
    alone = len(container.streams) == 1  # else sound may last longer than the pictures
    return Announced((container.duration or 0) / av.time_base if alone else 0.0, start, frames, rate)


def end_of(frame: av.VideoFrame) -> float:
    """The time in seconds until which a frame is shown; infinite where it has none."""
    if frame.time is None:
        return math.inf
    return frame.time + float((frame.duration or 0) * frame.time_base)
