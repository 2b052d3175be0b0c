"""Labels beside points, each where it covers no line, no marker and no other label."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

FONT_SIZE = 8.5
_MARGIN = 1.5  # free space around a label, in points
# Where a label may lie from its point, the first the most liked: (right, up), each -1, 0 or 1.
_SIDES = ((1, -1), (-1, 1), (1, 0), (-1, 0), (0, -1), (0, 1), (1, 1), (-1, -1))
_GAPS = (5, 8, 11)  # points between a point and its label
_ALIGNMENT = {-1: ("right", "top"), 0: ("center", "center"), 1: ("left", "bottom")}


@dataclass(frozen=True)
class Label:
    """A text beside the point (x, y) in data coordinates."""

    text: str
    x: float
    y: float
    colour: str


def place(axes: Axes, labels: Iterable[Label]) -> list[Annotation]:
    """Write each label on the side of its point where it hides least; call when all else is drawn."""
    axes.figure.draw_without_rendering()  # the layout decides what a label covers
    taken = _drawn_points(axes)
    placed = []
    for label in labels:
        text = axes.annotate(
            label.text,
            (label.x, label.y),
            xytext=(0, 0),
            textcoords="offset points",
            color=label.colour,
            fontsize=FONT_SIZE,
        )
        _put_where_least_is_hidden(text, taken, axes)
        taken = np.concatenate([taken, _filled(text.get_window_extent())])
        placed.append(text)
    return placed


def _put_where_least_is_hidden(text: Annotation, taken: np.ndarray, axes: Axes) -> None:
    spots = list(product(_GAPS, _SIDES))
    _put(text, *min(spots, key=lambda spot: _hidden(_put(text, *spot), taken, axes)))


def _put(text: Annotation, gap: float, side: tuple[int, int]) -> Annotation:
    right, up = side
    text.set_position((gap * right, gap * up))
    text.set_horizontalalignment(_ALIGNMENT[right][0])
    text.set_verticalalignment(_ALIGNMENT[up][1])
    return text


def _hidden(text: Annotation, taken: np.ndarray, axes: Axes) -> float:
    """How many drawn points lie under a label; infinite for one that leaves the axes."""
    margin = _MARGIN * axes.figure.dpi / 72
    box = text.get_window_extent().padded(margin)
    if not (axes.bbox.contains(box.x0, box.y0) and axes.bbox.contains(box.x1, box.y1)):
        return np.inf
    inside = (taken >= (box.x0, box.y0)) & (taken <= (box.x1, box.y1))
    return inside.all(1).sum()


def _drawn_points(axes: Axes) -> np.ndarray:
    """Points (n, 2), in pixels, about one a pixel along everything plotted; markers weigh as filled boxes."""
    paths = [line.get_xydata() for line in axes.lines]
    paths += [segment for bars in axes.collections for segment in bars.get_segments()]  # error bars
    pixels = [axes.transData.transform(path) for path in paths if len(path)]
    points = [_along(path) for path in pixels]
    half = axes.figure.dpi / 72 * 2.5  # of a marker
    points += [_filled(Bbox([point - half, point + half])) for path in pixels for point in path]
    return np.concatenate(points)


def _along(path: np.ndarray) -> np.ndarray:
    """Points along the corners (n, 2) of a path, at most a pixel apart on each axis."""
    pieces = [np.linspace(start, end, 2 + int(np.abs(end - start).max())) for start, end in pairwise(path)]
    return np.concatenate([path[:1], *pieces])


def _filled(box: Bbox) -> np.ndarray:
    """Points (n, 2) a pixel apart that fill a box."""
    across, up = np.arange(box.x0, box.x1 + 1), np.arange(box.y0, box.y1 + 1)
    return np.stack(np.meshgrid(across, up), -1).reshape(-1, 2)
