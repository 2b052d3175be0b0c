"""The frames of a video, one by one: from a file that PyAV decodes, or from a folder of numbered pictures."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from deltadistill.files.limits import MOST_PIXELS
from deltadistill.video.animated_webp import holds_animated_webp, read_animated_webp
from deltadistill.video.main_stream import choice, main_stream
from deltadistill.video.orientation import as_shown
from deltadistill.video.picture_folder import Numbers, read_folder
from deltadistill.video.unopened_video import what_is_wrong
from deltadistill.video.video_frame import Damaged, Noticed, Uneven, VideoFrame
from deltadistill.video.video_length import RAW_FORMATS, Announced, announced, end_of

log = logging.getLogger(__name__)

# Containers of one video. Not those that name other files or addresses to open, such as playlists.
CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "mpegts", "mpeg", "mpegvideo", "m4v", "h264", "hevc",
    "av1", "obu", "ivf", "ogg", "flv", "asf", "gif", "apng", "mjpeg", "mxf", "nut", "dv", "yuv4mpegpipe",
)  # fmt: skip
OPENING = {"format_whitelist": ",".join(CONTAINERS), "protocol_whitelist": "file"}
_FAILURES = 100  # to read on in a row, after which the rest of a damaged file counts as lost
_SKIP = "set prepare_dataset.video.damaged to skip to leave out what is damaged"


def read_video(
    path: Path,
    *,
    max_frames: int | None = None,
    damaged: Damaged = "stop",
    uneven: Uneven = "stop",
    numbers: Numbers = "frames",
    fewest: int = 2,
    noticed: Noticed | None = None,
) -> Iterator[VideoFrame]:
    """Yield at most `max_frames` frames in order; ValueError with the path where one fails.

    damaged: "skip" leaves out what cannot be decoded, and of a file all that depends on it, up to the next
    key frame. uneven: "keep" takes folders whose numbers have gaps or whose pictures differ in size. numbers:
    what the numbers in the names of a folder's pictures count. fewest: frames that there have to be. noticed:
    is filled with what was left out, and which of several streams was taken.
    """
    noticed = noticed if noticed is not None else Noticed()
    count = 0
    for frame in islice(_frames(path, damaged, uneven, numbers, noticed), max_frames):
        count += 1
        yield frame
    if count < fewest:
        found = f"has {count} frame{'' if count == 1 else 's'}; a video needs at least {fewest}"
        raise _unreadable(path, "; ".join([found, *noticed.notes()]))


def _frames(
    path: Path, damaged: Damaged, uneven: Uneven, numbers: Numbers, noticed: Noticed
) -> Iterator[VideoFrame]:
    if path.is_dir():
        return read_folder(path, numbers=numbers, damaged=damaged, uneven=uneven, noticed=noticed)
    if holds_animated_webp(path):
        return read_animated_webp(path)
    return _FileReader(path, damaged, noticed).frames()


@dataclass
class _FileReader:
    """Decodes one file, and counts what it gives."""

    path: Path
    damaged: Damaged
    noticed: Noticed
    count: int = 0
    end: float = float("-inf")
    is_open: bool = False
    waits: bool = False  # for a key frame, since something before was lost

    def frames(self) -> Iterator[VideoFrame]:
        said = Announced()
        try:
            with av.open(f"file:{self.path}", options=OPENING, metadata_errors="replace") as container:
                stream = self._stream(container)
                said = announced(container, stream)
                has_times = container.format.name not in RAW_FORMATS
                for frame in self._decoded(container, stream):
                    after_gap, self.waits = self.waits, False
                    seconds = frame.time if has_times else None
                    pixels = as_shown(frame, frame.to_ndarray(format="rgb24"))
                    yield VideoFrame(pixels, seconds, after_gap, self.count + self.noticed.skipped)
                    self.count, self.end = self.count + 1, max(self.end, end_of(frame))
        except av.FFmpegError as error:
            raise ValueError(self._refused(error)) from error
        if not said.is_reached(self.count, self.end):
            self._cut_off(said)

    def _stream(self, container: InputContainer) -> VideoStream:
        stream = main_stream(container)
        if stream is None:
            cover = " but a cover picture" if container.streams.video else ""
            raise _unreadable(self.path, f"has no video stream{cover}")
        self.noticed.chosen = choice(container, stream)
        _require_size(self.path, stream)
        # Frames of several threads come later than their packets, and an error would take them along.
        stream.thread_type = "AUTO" if self.damaged == "stop" else "SLICE"
        self.is_open = True
        stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}  # a later frame may be larger
        return stream

    def _decoded(self, container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
        """Frames that are whole: neither damaged nor, as far as the decoder says, made from damaged ones."""
        for packet in self._packets(container, stream):
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                self._skip(error)
                continue
            for frame in frames:
                if frame.is_corrupt:
                    self._skip(None)
                elif self.waits and not frame.key_frame:
                    self.noticed.skip("", first=False)
                else:
                    yield frame

    def _packets(self, container: InputContainer, stream: VideoStream) -> Iterator[Packet]:
        failures = 0
        while failures < _FAILURES:
            try:
                for packet in container.demux(stream):
                    failures = 0
                    yield packet
                return
            except (av.FFmpegError, IndexError) as error:  # an index: of a stream that damage made up
                self._skip(error if isinstance(error, av.FFmpegError) else None)
                failures += 1

    def _skip(self, error: av.FFmpegError | None) -> None:
        """Count a frame as lost, or stop where that is asked for."""
        if self.damaged == "stop" and error:
            raise error
        if self.damaged == "stop":
            raise ValueError(f"{self.path} is damaged: frame {self.count} cannot be decoded{self._advice()}")
        last = self.count + self.noticed.skipped - 1  # as results number frames: those left out count
        place = f"after frame {last}" if self.count else "at the beginning"
        self.noticed.skip(place, first=not self.waits)
        self.waits = True

    def _refused(self, error: av.FFmpegError) -> str:
        if self.count:
            why = "too large, or damaged" if isinstance(error, av.ArgumentError) else error.strerror
            return f"{self.path} is damaged after frame {self.count - 1}: {why}{self._advice()}"
        if reason := what_is_wrong(self.path):
            return f"{self.path} {reason}"
        if isinstance(error, av.ArgumentError):  # by one of the options above
            known = ", ".join(name.split(",")[0] for name in CONTAINERS)
            what = f"not a video in a container that is read ({known}), or its frames are too large"
            return f"{self.path} is {what}"
        hint = self._advice() if self.is_open else ""
        return f"{self.path} is not a video that PyAV can read: {error.strerror}{hint}"

    def _cut_off(self, said: Announced) -> None:
        time = f", {self.end - said.start:.2f} s" if self.count and self.end != float("inf") else ""
        found = f"found {self.count} frames{time}; its header announces {said}"
        if self.damaged == "stop":
            raise ValueError(
                f"{self.path} is truncated: {found}; copy or download it again, or{self._advice()[1:]}"
            )
        self.noticed.cut_off = f"truncated: {found}"

    def _advice(self) -> str:
        if self.damaged == "skip":
            return "; copy or download it again"
        few = f", or max_frames to {self.count} or fewer to use what is before" if self.count > 1 else ""
        return f"; {_SKIP}{few}"


def _unreadable(path: Path, found: str) -> ValueError:
    """Of a file that lacks what tells its content, that; or else what was found."""
    wrong = what_is_wrong(path) if path.is_file() else None
    return ValueError(f"{path} {wrong or found}")


def _require_size(path: Path, stream: VideoStream) -> None:
    if stream.codec_context is None:
        raise _unreadable(path, "is in a codec that PyAV does not know; convert it, for example to H.264")
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > MOST_PIXELS:
        raise ValueError(f"{path} is {height}×{width}; videos of up to {MOST_PIXELS} pixels are read")
