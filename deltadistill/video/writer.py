"""Writes a video: every frame at its own time, in the size of the first, with the source's sound if asked."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from deltadistill.video.fitting import scaled
from deltadistill.video.sound import Sound

_TICKS = 90_000  # a second; no frame rate in use is off by more than a tick a frame, and none adds up
_RATE = 25  # frames a second, where a source has no times
# Without frames that wait for later ones, durations come out as the times say, however uneven these are.
_QUALITY = {"crf": "20", "preset": "veryfast", "bf": "0"}
_SUFFIXES = (".mp4", ".mov", ".mkv")  # an AVI has no times but those of a frame rate


class VideoWriter:
    """Takes frames one by one; `close` makes the file one that plays, however many there were.

    The file is H.264, in 4:2:0, or 4:4:4 where a side is odd, so that the size is the source's own. Frames of
    other sizes than the first are scaled to it, `resized` counts them. Without times frames are 1/25 s apart.
    Raises ValueError for a path whose suffix is of no container that is written, and OSError where the file
    cannot be made.
    """

    def __init__(self, path: str | Path, *, sound: Sound | None = None):
        self.path = Path(path)
        if self.path.suffix.lower() not in _SUFFIXES:
            raise ValueError(f"{path}: videos are written as {', '.join(_SUFFIXES)}")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(b"")  # PyAV makes it at the first frame, and says less where it cannot
        self._container = av.open(f"file:{self.path}", "w")
        self._sound = sound
        self._stream: av.VideoStream | None = None
        self._origin: float | None = None
        self._last = -1
        self._step = _TICKS // _RATE
        self.frames = 0
        self.resized = 0

    def write(self, pixels: np.ndarray, seconds: float | None) -> None:
        """Add a frame uint8 RGB (H, W, 3), shown from `seconds` on (an origin of the source's own)."""
        if self._stream is None:
            self._begin(pixels.shape[0], pixels.shape[1], seconds)
        assert self._stream is not None
        size = (self._stream.height, self._stream.width)
        self.resized += pixels.shape[:2] != size
        frame = self._encodable(scaled(pixels, size))
        frame.pts, frame.time_base = self._tick(seconds), Fraction(1, _TICKS)
        if self._sound is not None:
            self._sound.copy_until((frame.pts / _TICKS), self._container)
        self._container.mux(self._stream.encode(frame))
        self.frames += 1

    def close(self) -> None:
        """Finish the file; nothing can be added afterwards. A file without any frame is removed."""
        if self._container is None:
            return
        container, self._container = self._container, None
        try:
            if self._stream is not None:
                for packet in self._stream.encode():
                    packet.duration = self._step if packet.pts == self._last else packet.duration
                    container.mux(packet)
                if self._sound is not None:
                    self._sound.copy_until((self._last + self._step) / _TICKS, container)
        finally:
            if self._sound is not None:
                self._sound.close()
            if self._stream is None:
                self.path.unlink(missing_ok=True)
            else:
                container.close()

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _begin(self, height: int, width: int, seconds: float | None) -> None:
        is_even = height % 2 == 0 and width % 2 == 0
        stream = self._container.add_stream("libx264", rate=_RATE, options=_QUALITY)
        stream.height, stream.width = height, width
        stream.pix_fmt = "yuv420p" if is_even else "yuv444p"
        codec = stream.codec_context  # players guess the colours of what does not say them
        codec.colorspace, codec.color_range = Colorspace.ITU709, ColorRange.MPEG
        codec.color_primaries, codec.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        stream.time_base = stream.codec_context.time_base = Fraction(1, _TICKS)
        self._stream, self._origin = stream, seconds
        if self._sound is not None:
            self._sound.begin(self._container, origin=seconds or 0.0)

    def _encodable(self, pixels: np.ndarray) -> av.VideoFrame:
        assert self._stream is not None
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        return frame.reformat(format=self._stream.pix_fmt, dst_colorspace=Colorspace.ITU709)

    def _tick(self, seconds: float | None) -> int:
        """The frame's place on the clock of the file.

        Where the source has no time, or one that is not later than the frame's before, as far behind that one
        as that is behind its own.
        """
        tick = round((seconds - self._origin) * _TICKS) if None not in (seconds, self._origin) else -1
        if not self.frames:
            tick = 0
        elif tick <= self._last:
            tick = self._last + self._step
        else:
            self._step = tick - self._last
        self._last = tick
        return tick
