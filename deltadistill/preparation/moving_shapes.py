"""Writes generated clips of a moving shape, a folder for each class, in the layout of image_folder.

    <folder>/<split>/<class>/clip_<4 digits>/<4 digits>.png

The shape drifts, turns and grows over a still, noisy ground; its colour, and the ground's, tell nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from deltadistill.preparation.encoded_picture import write_picture

SHAPES = {  # corners of each, as angles in turns and radii
    "bar": ((0.04, 1.0), (0.46, 1.0), (0.54, 1.0), (0.96, 1.0)),
    "cross": tuple((n / 12 + 1 / 24, 0.35 if n % 3 == 1 else 1.0) for n in range(12)),
    "disc": tuple((n / 32, 0.8) for n in range(32)),
    "square": tuple((n / 4 + 0.125, 1.0) for n in range(4)),
    "star": tuple((n / 10, 1.0 if n % 2 == 0 else 0.4) for n in range(10)),
    "triangle": tuple((n / 3, 1.0) for n in range(3)),
}
_SUBPIXELS = 4  # binary places of a corner's position
_LARGEST, _SMALLEST = 0.42, 0.22  # radius of a shape, as a share of the frame's shorter side


@dataclass(frozen=True)
class Clips:
    """How clips are drawn: frames of (height, width), `noise` as in the section generated."""

    frames: int
    height: int
    width: int
    noise: float
    seed: int


def write_shapes(
    folder: Path, counts: Mapping[str, int], look: Clips, *, progress: Callable[[int], object]
) -> None:
    """Write `counts[split]` clips of every class below `folder`; a clip hangs on seed, split and number."""
    for number, (split, clips) in enumerate(counts.items()):
        for label, name in enumerate(SHAPES):
            for clip in range(clips):
                draws = np.random.default_rng((look.seed, number, label, clip))
                place = folder / split / name / f"clip_{clip:04d}"
                place.mkdir(parents=True)
                for index, frame in enumerate(_clip(SHAPES[name], look, draws)):
                    write_picture(place / f"{index:04d}.png", frame[..., ::-1])
                progress(look.frames)


def _clip(shape: tuple[tuple[float, float], ...], look: Clips, draws: np.random.Generator) -> np.ndarray:
    """Frames uint8 (F, H, W, 3), RGB."""
    size = np.array([look.width, look.height], float)
    ground = _ground(look, draws)
    colour = draws.uniform(0, 255, 3)
    centre, drift = draws.uniform(0.35, 0.65, 2) * size, draws.uniform(-0.02, 0.02, 2) * size
    angle, spin = draws.uniform(0, 1), draws.uniform(-0.02, 0.02)  # turns
    radius, growth = draws.uniform(_SMALLEST, _LARGEST) * size.min(), draws.uniform(0.98, 1.02)
    turns, radii = np.array(shape).T
    frames = np.empty((look.frames, look.height, look.width, 3), np.uint8)
    for time in range(look.frames):
        around = 2 * np.pi * (turns + angle + spin * time)
        corners = np.stack([np.cos(around), np.sin(around)], 1) * (radii * radius * growth**time)[:, None]
        drawn = _filled(ground, centre + drift * time + corners, colour)
        drawn += draws.normal(0, 255 * look.noise, drawn.shape)
        frames[time] = drawn.clip(0, 255)
    return frames


def _ground(look: Clips, draws: np.random.Generator) -> np.ndarray:
    """A smooth pattern of two colours, float64 (H, W, 3)."""
    coarse = draws.uniform(0, 1, (4, 4)).astype(np.float32)
    share = cv2.resize(coarse, (look.width, look.height), interpolation=cv2.INTER_CUBIC)[..., None]
    return share * draws.uniform(0, 255, 3) + (1 - share) * draws.uniform(0, 255, 3)


def _filled(ground: np.ndarray, corners: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """The ground with a polygon, corners (n, 2) as x and y in pixels, filled."""
    mask = np.zeros(ground.shape[:2], np.uint8)
    points = np.round(corners * 2**_SUBPIXELS).astype(np.int32)
    cv2.fillPoly(mask, [points], 255, lineType=cv2.LINE_AA, shift=_SUBPIXELS)
    share = mask[..., None] / 255
    return ground * (1 - share) + colour * share
