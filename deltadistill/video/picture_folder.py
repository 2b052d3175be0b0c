"""A folder of numbered pictures as a video: their order, and their times where the numbers are times."""

import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

import cv2

from deltadistill.data.picture import decode_picture
from deltadistill.video.video_frame import Damaged, Noticed, Uneven, VideoFrame

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
_UNREAD = (".ppm", ".pgm", ".pbm", ".pnm", ".gif", ".avif", ".heic", ".jp2", ".exr", ".hdr", ".tga", ".dng")
Numbers = Literal["frames", "seconds", "milliseconds", "microseconds", "nanoseconds"]
_PER_SECOND = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
_UNITS = ", ".join(_PER_SECOND)


def read_folder(
    folder: Path, *, numbers: Numbers, damaged: Damaged, noticed: Noticed, uneven: Uneven = "stop"
) -> Iterator[VideoFrame]:
    """Yield the pictures of a folder in order; ValueError with the path of one that cannot be read.

    Where they are times, `seconds` counts from the first picture. damaged: "skip" leaves such pictures out.
    uneven: "keep" takes pictures of several sizes, and gaps in their numbers, which the frames tell of.
    """
    size, lost = None, False
    for picture in _pictures_in_order(folder, numbers, uneven):
        path = picture.path
        try:
            pixels = decode_picture(path, cv2.IMREAD_COLOR)
        except ValueError as error:
            if damaged == "stop":
                raise
            noticed.skip(f"{path.name} ({_reason(error, path)})", first=True)
            lost = True
            continue
        size = size or pixels.shape
        if uneven == "stop" and pixels.shape != size:
            raise ValueError(f"{path} is {_by(pixels.shape)}; the first frame is {_by(size)}")
        yield VideoFrame(pixels[..., ::-1], picture.seconds, lost or picture.follows_gap, picture.place)
        lost = False


def sort_pictures(folder: Path, *, numbers: Numbers = "frames") -> list[Path]:
    """The pictures of a folder by the number at the end of their names (so 2 comes before 10).

    Hidden files, such as those that other systems leave beside pictures, are no pictures. ValueError where
    the names do not tell an order: no number, several series, a number twice, or a gap unless they are times.
    """
    return [picture.path for picture in _pictures_in_order(folder, numbers, "stop")]


def sort_pictures_anyhow(folder: Path) -> list[Path]:
    """The same, whatever is missing between them."""
    return [picture.path for picture in _pictures_in_order(folder, "frames", "keep")]


def places_of(folder: Path) -> dict[str, int]:
    """Places of the pictures in the video that the folder is, by name without ending; gaps count."""
    return {picture.path.stem: picture.place for picture in _pictures_in_order(folder, "frames", "keep")}


class _Picture(NamedTuple):
    """A picture's file, its place in the video, and its seconds since the first where numbers are times."""

    path: Path
    place: int
    seconds: float | None
    follows_gap: bool


def _pictures_in_order(folder: Path, numbers: Numbers, uneven: Uneven) -> list[_Picture]:
    numbered = _by_number(folder, r"\d+" if numbers == "frames" else r"\d+(?:\.\d+)?")
    order = sorted(numbered)
    if numbers != "frames":
        seconds = [float((number - order[0]) / _PER_SECOND[numbers]) for number in order]
        return [_Picture(numbered[number], i, seconds[i], False) for i, number in enumerate(order)]
    if uneven == "stop":
        _refuse_gaps(folder, order)
    usual = min((after - before for before, after in pairwise(order)), default=Fraction(1))
    places = [int((number - order[0]) / usual) for number in order]
    gaps = [False, *(after - before > 1 for before, after in pairwise(places))]
    return [
        _Picture(numbered[number], place, None, gap)
        for number, place, gap in zip(order, places, gaps, strict=True)
    ]


def _by_number(folder: Path, pattern: str) -> dict[Fraction, Path]:
    numbered: dict[Fraction, Path] = {}
    series: dict[str, Path] = {}
    for path in _pictures(folder):
        match = re.fullmatch(rf"(.*?)({pattern})", path.stem, re.ASCII | re.DOTALL)
        if match is None:
            raise ValueError(f"{path} has no number at the end of its name to tell its place; rename it")
        series.setdefault(match[1], path)
        number = Fraction(match[2])
        if number in numbered and len(series) == 1:
            raise ValueError(f"{numbered[number].name} and {path.name} in {folder} have the same number")
        numbered[number] = path
    if len(series) > 1:
        first, second = list(series.values())[:2]
        raise ValueError(f"{folder} mixes series of names ({first.name}, {second.name}); keep one per folder")
    return numbered


def _pictures(folder: Path) -> list[Path]:
    shown = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    unread = [path for path in unread_pictures(shown) if path.stem[-1:].isdigit()]
    if unread:
        raise ValueError(f"{folder} holds {unread[0].name}: {not_read(unread[0])}")
    paths = [path for path in shown if path.suffix.lower() in PICTURES]
    if not paths:
        raise ValueError(f"{folder} holds no pictures ({', '.join(PICTURES)})")
    return paths


def unread_pictures(paths: Iterable[Path]) -> list[Path]:
    """Those that are pictures by their names, in formats that are not read."""
    return [path for path in paths if path.suffix.lower() in _UNREAD]


def not_read(path: Path) -> str:
    """What to do with a picture in such a format."""
    return f"pictures in {path.suffix.lower()} are not read; convert them to PNG"


def _refuse_gaps(folder: Path, numbers: list[Fraction]) -> None:
    steps = [after - before for before, after in pairwise(numbers)]
    if not steps:
        return
    usual = min(steps)
    for (before, after), step in zip(pairwise(numbers), steps, strict=True):
        if step != usual:
            raise ValueError(
                f"{folder} lacks frames between numbers {before} and {after}; copy them, or where the "
                f"numbers are times set prepare_dataset.video.folder_numbers to what they count ({_UNITS})"
            )


def _reason(error: ValueError, path: Path) -> str:
    return str(error).removeprefix(f"{path} ").split(";")[0]


def _by(shape: tuple[int, ...]) -> str:
    return f"{shape[0]}×{shape[1]}"
