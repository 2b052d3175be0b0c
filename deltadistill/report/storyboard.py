"""Frames side by side at growing distance to the key frame, with what each variant gets wrong."""

from dataclasses import dataclass

import numpy as np

from deltadistill.report.paint import map_uri, mistakes, overlay, photo_uri
from deltadistill.report.scenes import Scene

DISTANCES = (0, 1, 3, 5, 9)
METHODS = ("teacher", "delta", "copy")


@dataclass(frozen=True)
class Tile:
    """One picture, what it shows in words, and a line of text below it."""

    uri: str
    alt: str
    note: str = ""


@dataclass(frozen=True)
class Storyboard:
    """Rows of tiles under the distances they are at."""

    clip: str
    period: int
    distances: tuple[int, ...]
    rows: tuple[tuple[str, tuple[Tile, ...]], ...]


def storyboard(scene: Scene, table: np.ndarray) -> Storyboard:
    """Lay out one clip; ``table`` is the colour lookup of `paint.palette`."""
    distances = tuple(d for d in DISTANCES if d < min(scene.period, len(scene.images)))
    photos = [Tile(photo_uri(scene.images[d]), f"frame at distance {d}") for d in distances]
    rows = [("frame", tuple(photos))]
    if scene.labels is not None:
        truth = [Tile(map_uri(table[scene.labels[d]]), f"ground truth at distance {d}") for d in distances]
        rows.append(("ground truth", tuple(truth)))
    for method in METHODS:
        if method in scene.predictions:
            rows.append((method, tuple(_prediction(scene, method, d, table) for d in distances)))
            if scene.labels is not None or method != "teacher":
                rows.append(
                    (f"{method}: {_fault(scene)}", tuple(_mistakes(scene, method, d) for d in distances))
                )
    return Storyboard(scene.clip, scene.period, distances, tuple(rows))


def _fault(scene: Scene) -> str:
    return "wrong pixels" if scene.labels is not None else "unlike the teacher"


def _prediction(scene: Scene, method: str, frame: int, table: np.ndarray) -> Tile:
    alt = f"prediction of {method} at distance {frame}"
    if scene.labels is None:  # over real video the frame shows through, as there is no ground truth beside it
        return Tile(photo_uri(overlay(scene.images[frame], scene.predictions[method][frame], table)), alt)
    return Tile(map_uri(table[scene.predictions[method][frame]]), alt)


def _mistakes(scene: Scene, method: str, frame: int) -> Tile:
    wrong = scene.wrong(method, frame)
    note = f"{100 * wrong.mean():.1f} %"
    alt = f"{note} of the pixels of {method} at distance {frame} are {_fault(scene)}, in red"
    return Tile(photo_uri(mistakes(scene.images[frame], wrong)), alt, note)
