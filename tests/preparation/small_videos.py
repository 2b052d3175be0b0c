"""Small video files for tests, and what recorders, phones and broken disks do to them."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition


def grey(level, size=(32, 48)):
    return np.full((*size, 3), level, np.uint8)


def noise(count, size=(64, 64)):
    draws = np.random.default_rng(0)
    return [draws.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in range(count)]


def drifting(count, size=(48, 64)):
    """A picture that moves a pixel a frame, smooth enough for every codec."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    channels = [np.sin((columns + 9 * k) / 5) + np.cos(rows / (4 + k)) for k in range(3)]
    first = (100 + 50 * np.stack(channels, -1)).clip(0, 255).astype(np.uint8)
    return [np.roll(first, step, 1) for step in range(count)]


def write_video(path, frames, *, codec="mpeg4", times=None, rate=25, gop=12, pixels="yuv420p"):
    """`times`: in frames of `rate`, where they are not evenly spaced."""
    with av.open(str(path), "w") as container:
        add(container, frames, codec=codec, times=times, rate=rate, gop=gop, pixels=pixels)
    return path


def write_streams(path, *films, covers=()):
    """A file of several video streams, in order; `films` and `covers` are lists of frames."""
    with av.open(str(path), "w") as container:
        streams = [_stream(container, frames, "mpeg4", 25, 12, "yuv420p") for frames in films]
        pictures = [_stream(container, frames, "mjpeg", 25, 12, "yuvj420p") for frames in covers]
        for stream in pictures:
            stream.disposition = Disposition.attached_pic
        for stream, frames in zip(streams + pictures, [*films, *covers], strict=True):
            _encode(container, stream, frames, None, 25)
    return path


def add(container, frames, *, codec="mpeg4", times=None, rate=25, gop=12, pixels="yuv420p"):
    _encode(container, _stream(container, frames, codec, rate, gop, pixels), frames, times, rate)


def _stream(container, frames, codec, rate, gop, pixels):
    stream = container.add_stream(codec, rate=rate)
    stream.height, stream.width = frames[0].shape[:2]
    stream.pix_fmt = pixels
    stream.codec_context.gop_size = gop
    return stream


def _encode(container, stream, frames, times, rate):
    for number, pixels in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts, frame.time_base = (times[number] if times else number), Fraction(1, rate)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def turn(path, a, b, c, d):
    """Write a display matrix into an MP4, as phones do: (x, y) is shown at (a x + c y, b x + d y)."""
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 40  # the matrix follows 40 bytes of numbers
    for offset, value in zip((0, 4, 12, 16), (a, b, c, d), strict=True):
        data[place + offset : place + offset + 4] = (value * 65536).to_bytes(4, "big", signed=True)
    path.write_bytes(data)


def cut_without_encoding(source, path, first):
    """As `ffmpeg -ss -c copy`: frames before `first` stay in the file, and its edit list hides them."""
    with av.open(str(source)) as taken, av.open(str(path), "w") as made:
        stream = taken.streams.video[0]
        copy = made.add_stream_from_template(stream)
        ticks = int(Fraction(first, 25) / stream.time_base)
        for packet in taken.demux(stream):
            if packet.dts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts - ticks, packet.dts - ticks, copy
                made.mux(packet)
    return path


def cover_first(path):
    """Move the cover picture of an MP4 before its tracks, where players and readers meet it first."""
    data = path.read_bytes()
    start = data.index(b"moov") - 4
    end = start + int.from_bytes(data[start : start + 4], "big")
    boxes, place = [], start + 8
    while place < end:
        length = int.from_bytes(data[place : place + 4], "big")
        boxes.append(data[place : place + length])
        place += length
    boxes.sort(key=lambda box: (b"mvhd", b"udta").index(box[4:8]) if box[4:8] in (b"mvhd", b"udta") else 2)
    path.write_bytes(data[: start + 8] + b"".join(boxes) + data[end:])


def packet_places(path) -> list[tuple[int, int]]:
    """Where the packets of a file lie in it, and their sizes."""
    with av.open(str(path)) as container:
        return [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]


def damage(path: Path, packet: int):
    """Overwrite the middle of one packet."""
    place, size = packet_places(path)[packet]
    data = bytearray(path.read_bytes())
    data[place + size // 4 : place + size] = b"\xff" * (size - size // 4)
    path.write_bytes(data)


def with_sound(path, *, codec="aac", seconds=2.0, begins=0.0):
    """A film of moving stripes with a tone; both tracks begin at `begins`."""
    rate = 16000
    with av.open(str(path), "w") as container:
        video, sound = container.add_stream("mpeg4", rate=25), container.add_stream(codec, rate=rate)
        video.height, video.width, video.pix_fmt = 48, 64, "yuv420p"
        sound.layout = "mono"
        for place, pixels in enumerate(drifting(int(25 * seconds))):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = place + int(25 * begins), Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        tone = (8000 * np.sin(np.arange(int(rate * seconds)) / 8)).astype(np.int16)
        for start in range(0, len(tone), 1024):
            frame = av.AudioFrame.from_ndarray(tone[None, start : start + 1024], format="s16", layout="mono")
            frame.sample_rate, frame.pts = rate, start + int(rate * begins)
            frame.time_base = Fraction(1, rate)
            container.mux(sound.encode(frame))
        container.mux(sound.encode())
    return path


def sound_of(path):
    """Codec, first and last second of the sound."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        frames = list(container.decode(stream))
        return (
            stream.codec_context.name,
            frames[0].time,
            frames[-1].time + frames[-1].samples / frames[-1].rate,
        )
