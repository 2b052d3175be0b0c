"""Teacher and ours side by side, blended over the frames: a video file and a small animation."""

import io
from fractions import Fraction

import av
import numpy as np
from PIL import Image

from deltadistill.pipeline.report.animation import encode, grid
from deltadistill.pipeline.report.scenes import Scene
from deltadistill.pipeline.results.results import Results
from deltadistill.pipeline.results.variants import Role

FILE_NAME = "overlay.mp4"
MAX_BYTES = 3_000_000
PANELS: tuple[Role, ...] = ("teacher", "ours")
FRAMES_PER_SECOND = 12  # of scenes that do not tell at what rate they were taken
_TICKS = 60_000  # a second, in which the time of a frame is written: whole for the usual rates


def has_side_by_side(results: Results, scenes: tuple[Scene, ...]) -> bool:
    """Whether the report makes the video: of real video, whose frames are worth looking at, with examples."""
    both = all(len(scene.standing_for(PANELS)) == len(PANELS) for scene in scenes)
    return bool(scenes) and both and results.reference == "teacher"


def side_by_side(scenes: tuple[Scene, ...], table: np.ndarray, *, max_bytes: int = MAX_BYTES) -> bytes:
    """Return an MP4 of all scenes one after the other, H.264, or MPEG-4 where that is not built in.

    Each is played at the rate at which it was taken.
    """
    frames, rates = [], []
    for scene in scenes:
        frames += _frames(scene, table, tile_width=480)
        rates += [_rate(scene)] * len(scene.images)
    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    for megabits in (2.0, 1.0, 0.5, 0.25):
        content = _encode(frames, rates, codec=codec, bit_rate=int(megabits * 1e6))
        if len(content) <= max_bytes:
            return content
    raise ValueError(
        f"the video side by side has {len(content)} bytes, {max_bytes} allowed; keep fewer example clips"
    )


def small_side_by_side(scenes: tuple[Scene, ...], table: np.ndarray, *, max_bytes: int = 900_000) -> bytes:
    """Return the first scene as a small animated WebP, for a README."""
    frames = _frames(scenes[0], table, tile_width=320)
    while True:
        for quality in (70, 50):
            content = encode(frames, quality=quality, milliseconds=max(1, round(1000 / _rate(scenes[0]))))
            if len(content) <= max_bytes or len(frames) == 1:
                return content
        frames = frames[: max(1, len(frames) // 2)]


def _rate(scene: Scene) -> float:
    return scene.frames_per_second or FRAMES_PER_SECOND


def _frames(scene: Scene, table: np.ndarray, *, tile_width: int) -> list[Image.Image]:
    return [_frame(scene, index, table, tile_width=tile_width) for index in range(len(scene.images))]


def _frame(scene: Scene, index: int, table: np.ndarray, *, tile_width: int) -> Image.Image:
    distance = scene.distance(index)
    (teacher, its_label), (ours, our_label) = scene.standing_for(PANELS).items()
    state = f"{distance} after key frame" if distance else "key frame"
    titles = {teacher: f"{its_label} on every frame", ours: f"{our_label}, T = {scene.period}, {state}"}
    panels = [(title, scene.blended(name, index, table)) for name, title in titles.items()]
    return grid(panels, columns=2, tile_width=tile_width)


def _encode(frames: list[Image.Image], rates: list[float], *, codec: str, bit_rate: int) -> bytes:
    """`rates`: frames a second, for each frame, which is shown for one of them."""
    buffer, ticks = io.BytesIO(), 0.0
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream(codec, rate=Fraction(rates[0]).limit_denominator(1001))
        stream.width, stream.height = frames[0].size
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = bit_rate
        stream.codec_context.time_base = Fraction(1, _TICKS)
        for image, rate in zip(frames, rates, strict=True):
            frame = av.VideoFrame.from_image(image)
            frame.pts, frame.time_base = round(ticks), Fraction(1, _TICKS)
            ticks += _TICKS / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()
