"""What is to be seen of each thing of a frame: its box, and how much of it others hide."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from deltadistill.preparation.street.canvas import Canvas
from deltadistill.preparation.street.foreground import draw_alone
from deltadistill.preparation.street.scene_parts import Scene

Windows = dict[int, tuple[slice, slice]]  # thing number → rows and columns that hold it
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class ThingSeen:
    """A thing in a frame: `number` lasts through its clip, `kind` is car, person, pole, sign or tree.

    `box` is (x0, y0, x1, y1) around its visible pixels, x1 and y1 exclusive; there are `pixels` of them, a
    share `visible` of those it would show if nothing stood before it.
    """

    number: int
    kind: str
    box: Box
    pixels: int
    visible: float


def things_seen(canvas: Canvas, scene: Scene, windows: Windows, frame: int) -> tuple[ThingSeen, ...]:
    """Everything that shows at least one pixel; `windows` is what draw_foreground returned."""
    return tuple(
        ThingSeen(
            number,
            scene.things[number].kind,
            box,
            pixels,
            pixels / int(np.count_nonzero(draw_alone(canvas, scene.things[number], windows[number], frame))),
        )
        for number, box, pixels in visible_parts(canvas.surface, windows)
    )


def visible_parts(surface: np.ndarray, windows: Windows) -> Iterator[tuple[int, Box, int]]:
    """(thing number, box around its visible pixels, number of these) of all that is not hidden."""
    for number, (rows, columns) in windows.items():
        mask = surface[rows, columns] == number + 1
        down, across = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if len(down) == 0:
            continue
        left, top = columns.start + int(across[0]), rows.start + int(down[0])
        right, bottom = columns.start + int(across[-1]) + 1, rows.start + int(down[-1]) + 1
        yield number, (left, top, right, bottom), int(np.count_nonzero(mask))
