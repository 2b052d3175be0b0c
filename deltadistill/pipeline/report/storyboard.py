"""Frames side by side at growing distance to the key frame, with what each variant gets wrong."""

from dataclasses import dataclass

import numpy as np

from deltadistill.pipeline.report.clip import Tile
from deltadistill.pipeline.report.paint import photo_uri
from deltadistill.pipeline.report.scenes import Scene
from deltadistill.pipeline.results.variants import Role

DISTANCES = (0, 1, 3, 5, 9)
SHOWN: tuple[Role, ...] = ("teacher", "ours", "copy")


@dataclass(frozen=True)
class Storyboard:
    """Rows of tiles under the distances they are at; ``legend`` says what the notes below tiles are."""

    clip: str
    period: int
    distances: tuple[int, ...]
    rows: tuple[tuple[str, tuple[Tile, ...]], ...]
    legend: str


def storyboard(scene: Scene, table: np.ndarray) -> Storyboard:
    """Lay out one clip; ``table`` is the colour lookup of `paint.palette`."""
    distances = tuple(d for d in DISTANCES if d < min(scene.period, len(scene.images)))
    photos = [Tile(photo_uri(scene.images[d]), f"frame at distance {d}") for d in distances]
    rows = [("frame", tuple(photos))]
    if scene.has_truth:
        rows.append(("ground truth", tuple(scene.truth(d, table) for d in distances)))
    for name, label in scene.standing_for(SHOWN).items():
        rows.append((label, tuple(scene.prediction(name, d, table) for d in distances)))
        if scene.has_truth or name != scene.teacher:
            wrong = tuple(scene.mistakes(name, d, table) for d in distances)
            rows.append((f"{label}: {scene.fault}", wrong))
    return Storyboard(scene.clip, scene.period, distances, tuple(rows), scene.legend)
