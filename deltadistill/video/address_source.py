"""Videos at an address, rtsp:// or http://: live ones with a short queue, tried again when they go away."""

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from deltadistill.files.limits import MOST_PIXELS
from deltadistill.video.main_stream import main_stream
from deltadistill.video.orientation import as_shown
from deltadistill.video.source import Patience, Source
from deltadistill.video.video_frame import Noticed, VideoFrame
from deltadistill.video.video_source import CONTAINERS
from deltadistill.video.waiting_frames import WaitingFrames

_PROTOCOLS = "rtsp,rtsps,http,https,tcp,tls,udp,rtp,httpproxy"  # never file: an answer names nothing here
_FORMATS = (*CONTAINERS, "rtsp", "sdp", "rtp", "mpjpeg", "jpeg_pipe", "image2pipe")
_TIMEOUT = (10.0, 10.0)  # seconds to open and to wait for data


def open_address(name: str, patience: Patience) -> Source:
    """Open an address; ValueError where nothing answers there, or what is no video."""
    container = _opened(name)
    stream = _stream(name, container)
    is_stored = bool(container.duration and container.duration > 0) and container.format.name != "rtsp"
    return (_Download if is_stored else _Live)(name, patience, container, stream)


class _Download:
    """A file at an address, with an end: every frame is read."""

    is_live = False
    dropped = 0
    returns = 0

    def __init__(self, name: str, patience: Patience, container: InputContainer, stream: VideoStream):
        self.name, self._container, self._stream = name, container, stream
        seconds, rate = (container.duration or 0) / av.time_base, float(stream.average_rate or 0)
        self._expected = stream.frames or round(seconds * rate) or None
        self._noticed = Noticed()
        self._is_closed = False

    def frames(self) -> Iterator[VideoFrame]:
        """Frames in order; ValueError where the download breaks off."""
        number, after_gap = 0, False
        with closing(self._container):
            for frame in _decoded(self.name, self._container, self._stream):
                if self._is_closed:
                    return
                if frame is None:
                    last = number + self._noticed.skipped - 1
                    self._noticed.skip(f"after frame {last}", first=not after_gap)
                    after_gap = True
                    continue
                yield VideoFrame(_pixels(frame), frame.time, after_gap, number + self._noticed.skipped)
                number, after_gap = number + 1, False

    def expected(self) -> int | None:
        """By the header."""
        return self._expected

    def notes(self) -> tuple[str, ...]:
        """What was left out as damaged."""
        return self._noticed.notes()

    def close(self) -> None:
        """End the download, with the frame that is read now: only its own thread may close what it reads."""
        self._is_closed = True


class _Live:
    """Frames that come when they come; their seconds run on while the source is away."""

    is_live = True

    def __init__(self, name: str, patience: Patience, container: InputContainer, stream: VideoStream):
        self.name, self.returns, self._patience = name, 0, patience
        self._first = (container, stream)
        self._begun = time.monotonic()
        self._count = 0
        self._waiting: WaitingFrames[tuple[Any, float, int]] = WaitingFrames(self._read, patience)

    @property
    def dropped(self) -> int:
        """Frames that came and were not taken."""
        return self._waiting.dropped

    def frames(self) -> Iterator[VideoFrame]:
        """The latest frames; ValueError when the source has been away for too long."""
        for (frame, seconds, number), after_gap in self._waiting:
            yield VideoFrame(_pixels(frame), seconds, after_gap, number)

    def expected(self) -> None:
        """Nothing tells."""

    def notes(self) -> tuple[str, ...]:
        """How often it came back, and what was dropped."""
        returned = [f"went away and came back {self.returns} times"] if self.returns else []
        dropped = [f"{self.dropped} of {self._count} frames dropped ({self._patience.drop})"]
        return (*returned, *(dropped if self.dropped else []))

    def close(self) -> None:
        """Let go of it."""
        self._waiting.stop()

    def _read(self, waiting: WaitingFrames) -> None:
        """Read, and connect again with growing pauses, until nobody wants more or it stays away."""
        connection: tuple[InputContainer, VideoStream] | None = self._first
        pause, last = self._patience.pauses[0], time.monotonic()
        while not waiting.stopped:
            count = self._count
            if connection is not None:
                with closing(connection[0]):
                    self._take(waiting, *connection)
            if self._count > count:
                pause, last = self._patience.pauses[0], time.monotonic()
            if time.monotonic() - last > self._patience.give_up:
                raise ValueError(
                    f"{self.name} went away after frame {self._count - 1} and did not come back in "
                    f"{self._patience.give_up:g} s; see whether it is there, or wait longer (give_up)"
                )
            waiting.pause(pause)
            pause = min(2 * pause, self._patience.pauses[1])
            connection = None if waiting.stopped else self._again()

    def _again(self) -> tuple[InputContainer, VideoStream] | None:
        try:
            container = _opened(self.name)
            return container, _stream(self.name, container)
        except ValueError:
            return None

    def _take(self, waiting: WaitingFrames, container: InputContainer, stream: VideoStream) -> None:
        """Every frame of one connection; the first after another one follows a gap."""
        after_gap, origin = self._count > 0, None
        self.returns += after_gap
        try:
            for frame in _decoded(self.name, container, stream):
                if waiting.stopped:
                    return
                if frame is None:
                    after_gap = True
                    continue
                now = time.monotonic() - self._begun
                if origin is None:
                    origin = now - (frame.time or 0.0)
                seconds = origin + frame.time if frame.time is not None else now
                waiting.put((frame, seconds, self._count), after_gap=after_gap)
                self._count, after_gap = self._count + 1, False
        except ValueError:
            return  # broken off: it is tried again


def _opened(name: str) -> InputContainer:
    options = {"protocol_whitelist": _PROTOCOLS, "format_whitelist": ",".join(_FORMATS)}
    if name.lower().startswith("rtsp"):
        options["rtsp_transport"] = "tcp"  # no damaged pictures when packets are lost
    try:
        return av.open(name, options=options, metadata_errors="replace", timeout=_TIMEOUT)
    except (av.FFmpegError, OSError) as error:
        reason = error.strerror or str(error)
        raise ValueError(
            f"{name} cannot be opened as a video: {reason}; see whether it is there and the address is right"
        ) from error


def _stream(name: str, container: InputContainer) -> VideoStream:
    stream = main_stream(container)
    if stream is None or stream.codec_context is None:
        container.close()
        raise ValueError(f"{name} has no video stream that can be decoded")
    stream.thread_type = "SLICE"  # frames of several threads come later than their packets
    stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}
    return stream


def _decoded(name: str, container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame | None]:
    """Frames, and None for what cannot be decoded; ValueError where the connection breaks."""
    waits = False
    try:
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                frames, waits = [None], True
            for frame in frames:
                if frame is None or frame.is_corrupt or (waits and not frame.key_frame):
                    waits = True
                    yield None
                else:
                    waits = False
                    yield frame
    except (av.FFmpegError, OSError) as error:
        raise ValueError(f"{name} broke off: {error.strerror or error}") from error


def _pixels(frame: av.VideoFrame) -> Any:
    return as_shown(frame, frame.to_ndarray(format="rgb24"))
