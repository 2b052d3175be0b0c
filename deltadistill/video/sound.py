"""The sound of a video, copied into another one packet by packet; encoded anew where that cannot hold it."""

from collections.abc import Iterator
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer

_COPIED = ("aac", "mp3", "ac3", "eac3", "alac", "opus", "flac")  # what an MP4 may hold as it is


class Sound:
    """The first sound track of a file; ValueError, which names the file, where it has none."""

    def __init__(self, path: Path):
        try:
            self._container = av.open(f"file:{path}", metadata_errors="replace")
        except av.FFmpegError as error:
            raise ValueError(f"{path} has no sound that can be read: {error.strerror}") from error
        if not self._container.streams.audio:
            self._container.close()
            raise ValueError(f"{path} has no sound; leave --sound out")
        self._source = self._container.streams.audio[0]
        self._is_copied = self._source.codec_context.name in _COPIED
        self._target: AudioStream | None = None
        self._origin = 0.0
        self._packets: Iterator[tuple[float, av.Packet]] = iter(())
        self._next: tuple[float, av.Packet] | None = None

    def begin(self, target: OutputContainer, *, origin: float) -> None:
        """Add the track to the other file, whose time 0 is second `origin` of this one."""
        if self._is_copied:
            self._target = target.add_stream_from_template(self._source)
        else:
            self._target = target.add_stream("aac", rate=self._source.codec_context.sample_rate)
        self._origin = origin
        self._packets = self._copied() if self._is_copied else self._encoded()
        self._next = next(self._packets, None)

    def copy_until(self, seconds: float, target: OutputContainer) -> None:
        """Write all that begins before `seconds` of the other file."""
        while self._next is not None and self._next[0] < seconds:
            target.mux(self._next[1])
            self._next = next(self._packets, None)

    def close(self) -> None:
        """Let go of the file that the sound comes from."""
        self._container.close()

    def _copied(self) -> Iterator[tuple[float, av.Packet]]:
        assert self._target is not None
        shift = round(self._origin / self._source.time_base)
        for packet in self._container.demux(self._source):
            if packet.dts is None or packet.pts is None:
                continue
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            if packet.pts >= 0:
                seconds = float(packet.pts * packet.time_base)
                packet.stream = self._target
                yield seconds, packet

    def _encoded(self) -> Iterator[tuple[float, av.Packet]]:
        assert self._target is not None
        for frame in self._container.decode(self._source):
            if frame.pts is None or frame.time < self._origin:
                continue
            frame.pts -= round(self._origin / frame.time_base)
            seconds = frame.time
            for packet in self._target.encode(frame):
                yield seconds, packet
        for packet in self._target.encode():
            yield 0.0, packet
