"""Frames of the testing part for the page, per frame left and the runner right: a film, and moments."""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

from deltadistill.acceleration.case import Case
from deltadistill.acceleration.scoring import Moment
from deltadistill.video.found import Showing, found_in
from deltadistill.video.writer import VideoWriter

_RATE = 25
_WIDTH, _FILM_WIDTH = 640, 400  # pixels of each of the two


def moment(case: Case, seen: Moment, showing: Showing) -> str:
    """A figure of two pictures."""
    images = "".join(
        f'<img alt="{name}" src="data:image/jpeg;base64,{_jpeg(picture)}">'
        for name, picture in zip(("per frame", "runner"), _two(case, seen, showing, _WIDTH), strict=True)
    )
    number = seen.shot.numbers[seen.place]
    caption = f"{seen.shot.video}, frame {number}: {seen.agreement:.3f}"
    return f'<figure><div class="pair">{images}</div><figcaption>{escape(caption)}</figcaption></figure>'


def film(case: Case, shown: Sequence[Moment], showing: Showing) -> str:
    """A figure of the frames as a video, H.264, that begins when it is asked to."""
    pictures = [np.concatenate(_two(case, each, showing, _FILM_WIDTH), axis=1) for each in shown]
    with TemporaryDirectory(prefix="deltadistill-") as folder:
        path = Path(folder) / "film.mp4"
        with VideoWriter(path) as writer:
            for number, picture in enumerate(pictures):
                writer.write(picture, number / _RATE)
        data = base64.b64encode(path.read_bytes()).decode()
    first, poster = shown[0], f"data:image/jpeg;base64,{_jpeg(pictures[0])}"
    number = first.shot.numbers[first.place]
    caption = f"{first.shot.video}, {len(shown)} frames from {number} on, {_RATE} a second"
    return (
        f'<figure><video controls loop muted playsinline poster="{poster}" '
        f'src="data:video/mp4;base64,{data}"></video><figcaption>{escape(caption)}</figcaption></figure>'
    )


def _two(case: Case, seen: Moment, showing: Showing, width: int) -> list[np.ndarray]:
    """Both answers drawn, at most so wide, with even sides."""
    pixels = seen.shot.frames[seen.place]
    scale = min(1.0, width / pixels.shape[1])
    size = [max(2, round(scale * side / 2) * 2) for side in (pixels.shape[1], pixels.shape[0])]
    drawn = [_drawn(case, pixels, answer, showing) for answer in (seen.plain, seen.answer)]
    return [cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in drawn]


def _drawn(case: Case, pixels: np.ndarray, answer: Any, showing: Showing) -> np.ndarray:
    height, width = case.pictures.size
    whole = (0.0, 0.0, float(width), float(height))
    found = found_in(answer, picture=(height, width), frame=(height, width), where=whole, showing=showing)
    return found.drawn(pixels)


def _jpeg(pixels: np.ndarray) -> str:
    done, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])
    assert done
    return base64.b64encode(data.tobytes()).decode()
