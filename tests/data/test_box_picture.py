"""Boxes drawn over a picture: where their lines are, and whether their numbers can be read."""

import numpy as np
import pytest

from deltadistill.data.box_picture import draw_boxes
from deltadistill.data.boxes import Objects

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def drawn(boxes, *, tracks=None, occluded=None, colors=(RED, GREEN, BLUE), classes=None):
    """A grey picture of 40×50, shown three times as high and twice as wide."""
    classes = list(range(len(boxes))) if classes is None else classes
    objects = Objects(boxes, classes, tracks, occluded)
    picture = draw_boxes(np.full((40, 50, 3), 100, np.uint8), objects, colors, size=(120, 100))
    return np.asarray(picture)


def frame(color, picture):
    """First and last row and column of a colour."""
    rows, columns = np.nonzero((picture == color).all(-1))
    return rows.min(), rows.max(), columns.min(), columns.max()


def test_boxes_are_scaled_in_each_direction_and_end_before_their_exclusive_edges():
    picture = drawn([[5, 4, 20, 10], [25, 12, 45, 38], [2, 30, 4, 31]])
    assert picture.shape == (120, 100, 3)
    assert picture[0, 0].tolist() == [55, 55, 55]  # dimmed, so that boxes stand out
    assert frame(RED, picture) == (12, 29, 10, 39)
    assert frame(GREEN, picture) == (36, 113, 50, 89)
    assert frame(BLUE, picture) == (90, 92, 4, 7)


def test_partly_hidden_objects_have_thin_lines():
    picture = drawn([[5, 4, 20, 20], [25, 4, 45, 20]], occluded=[True, False])
    red, green = ((picture[30] == color).all(-1) for color in (RED, GREEN))
    assert np.flatnonzero(red).tolist() == [10, 39]
    assert np.flatnonzero(green).tolist() == [50, 51, 88, 89]


def test_the_number_of_a_track_stands_above_its_box_where_there_is_room():
    """Eleven rows are needed."""
    without = drawn([[5, 4, 20, 20], [25, 3, 45, 20]])
    picture = drawn([[5, 4, 20, 20], [25, 3, 45, 20]], tracks=[7, 8])
    red, green = (frame(color, picture) for color in (RED, GREEN))
    assert (frame(RED, without)[0], frame(GREEN, without)[0]) == (12, 9)
    assert (red[0], green[0]) == (1, 9)
    assert (picture[9:20, 52:56] != without[9:20, 52:56]).any()


@pytest.mark.parametrize(
    ("color", "dark"),
    [
        ((200, 100, 190), False),  # 0.299·200 + 0.587·100 + 0.114·190 = 140.2
        ((200, 100, 185), True),  # 139.6
        ((0, 239, 0), False),
        ((0, 238, 0), True),
        ((0, 0, 255), True),
        ((255, 0, 0), True),
        ((255, 255, 255), False),
    ],
)
def test_numbers_are_white_on_dark_colours_and_black_on_bright_ones(color, dark):
    picture = drawn([[5, 10, 20, 20]], tracks=[8], colors=[color]).astype(int)
    patch = picture[19:30, 11:16].reshape(-1, 3)
    towards = patch - color
    assert (towards >= 0).all() if dark else (towards <= 0).all()
    assert np.abs(towards).max() > 50 or color == (255, 255, 255)
