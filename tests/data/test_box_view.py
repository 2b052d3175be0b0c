import numpy as np
import pytest

from deltadistill.data.box_view import objects_in_view
from deltadistill.data.boxes import Objects
from deltadistill.data.transforms import Augment, View, draw_view


def test_boxes_are_shifted_and_scaled_into_the_window():
    view = View(top=10, left=20, height=40, width=80, out=(20, 40), mirrored=False)
    shown = objects_in_view(Objects([[30, 14, 50, 30]], [2], [7], [True]), view)
    assert shown.boxes.tolist() == [[5, 2, 15, 10]]
    assert (shown.classes[0], shown.tracks[0], shown.occluded[0]) == (2, 7, True)


def test_a_mirrored_view_mirrors_boxes():
    view = View(top=0, left=0, height=20, width=40, out=(20, 40), mirrored=True)
    assert objects_in_view(Objects([[5, 2, 15, 10]], [0]), view).boxes.tolist() == [[25, 2, 35, 10]]


def test_boxes_are_cut_off_and_dropped_where_too_little_is_left():
    view = View(top=0, left=0, height=10, width=10, out=(10, 10), mirrored=False)
    objects = Objects([[4, 0, 14, 10], [8, 0, 18, 10], [10, 0, 20, 10], [2, 2, 4, 4]], [0, 1, 2, 3])
    shown = objects_in_view(objects, view)  # 6/10, 2/10, nothing and all of them are left
    assert shown.classes.tolist() == [0, 3]
    assert shown.boxes.tolist() == [[4, 0, 10, 10], [2, 2, 4, 4]]
    assert objects_in_view(objects, view, smallest_share=0).classes.tolist() == [0, 1, 3]
    with pytest.raises(ValueError, match="smallest_share is 2; expected 0 to 1"):
        objects_in_view(objects, view, smallest_share=2)


def test_nothing_stays_nothing():
    view = View(top=0, left=0, height=10, width=10, out=(5, 5), mirrored=True)
    assert len(objects_in_view(Objects([], []), view)) == 0


@pytest.mark.parametrize("seed", range(8))
def test_boxes_go_where_the_pixels_go(seed):
    pixels = np.zeros((60, 100, 3), np.uint8)
    pixels[20:40, 30:70] = 255
    augment = Augment(crop=(48, 80), scale=(0.7, 1.6), flip=True)
    view = draw_view(augment, (60, 100), np.random.default_rng(seed))
    shown = objects_in_view(Objects([[30, 20, 70, 40]], [0]), view, smallest_share=0)
    white = np.argwhere(view.image(pixels)[..., 0] > 127)
    corners = [*white.min(0)[::-1], *(white.max(0) + 1)[::-1]]
    assert shown.boxes[0] == pytest.approx(np.array(corners), abs=1.01)
