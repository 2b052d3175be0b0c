"""Draws the objects of a frame over its picture: boxes in class colours, with the numbers of their tracks."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from deltadistill.data.boxes import NO_TRACK, Objects

_DIM = 0.55  # of the picture beneath, so that boxes stand out
_FONT = 11  # pixels


def draw_boxes(
    pixels: np.ndarray, objects: Objects, colors: Sequence[tuple[int, int, int]], *, size: tuple[int, int]
) -> Image.Image:
    """A picture of `size` (height, width) from uint8 RGB (H, W, 3), in whose pixels the boxes are given.

    `colors` are RGB, one per class. Boxes of occluded objects have thin lines.
    """
    height, width = size
    picture = Image.fromarray((pixels * _DIM).astype(np.uint8)).resize((width, height))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(_FONT)
    scale = np.array([width / pixels.shape[1], height / pixels.shape[0]] * 2)
    for number, box in enumerate(objects.boxes * scale):
        color = tuple(colors[objects.classes[number]])
        x0, y0, x1, y1 = (round(float(edge)) for edge in box)
        corners = (x0, y0, max(x0, x1 - 1), max(y0, y1 - 1))
        draw.rectangle(corners, outline=color, width=1 if objects.occluded[number] else 2)
        if objects.tracks[number] != NO_TRACK:
            _write_number(draw, str(objects.tracks[number]), (x0, y0), color, font)
    return picture


def _write_number(
    draw: ImageDraw.ImageDraw, text: str, corner: tuple[int, int], color: tuple, font: ImageFont.FreeTypeFont
) -> None:
    """The number on a patch of the class's colour, above the box where there is room."""
    x, y = corner
    y = y - _FONT if y >= _FONT else y
    dark = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2] < 140
    draw.rectangle((x, y, x + draw.textlength(text, font) + 2, y + _FONT), fill=color)
    draw.text((x + 1, y - 1), text, (255, 255, 255) if dark else (0, 0, 0), font)
