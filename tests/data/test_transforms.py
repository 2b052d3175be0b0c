import cv2
import numpy as np
import pytest

from deltadistill.data.transforms import Augment, View, draw_view


def frame_and_label(height=32, width=48):
    """A picture whose red channel is bright where the label is 1."""
    label = np.zeros((height, width), np.uint8)
    label[8:20, 10:30] = 1
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = 200 * label
    return image, label


def test_nothing_asked_for_changes_nothing():
    image, label = frame_and_label()
    view = draw_view(Augment(crop=(32, 48)), (32, 48), np.random.default_rng(0))
    assert np.array_equal(view.image(image), image)
    assert np.array_equal(view.label(label), label)


def test_equal_draws_give_equal_views_and_views_vary():
    augment = Augment(crop=(20, 20), scale=(0.5, 2.0), flip=True)
    views = [draw_view(augment, (32, 48), np.random.default_rng(seed)) for seed in range(40)]
    assert views[3] == draw_view(augment, (32, 48), np.random.default_rng(3))
    assert {view.mirrored for view in views} == {False, True}
    assert min(view.height for view in views) < 13
    assert max(view.height for view in views) > 32


@pytest.mark.parametrize("scale", [0.5, 0.8, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("mirrored", [False, True])
def test_image_and_label_stay_aligned(scale, mirrored):
    image, label = frame_and_label()
    side = round(32 / scale)
    view = View(0, 4, side, side, (32, 32), mirrored)
    bright = view.image(image)[..., 0] > 100
    marked = view.label(label) == 1
    assert (bright != marked).mean() < 0.05 * max(scale, 1 / scale)


def test_mirroring_swaps_left_and_right():
    image, label = frame_and_label()
    plain, mirrored = (View(0, 0, 32, 48, (32, 48), flip) for flip in (False, True))
    assert np.array_equal(mirrored.image(image), plain.image(image)[:, ::-1])
    assert np.array_equal(mirrored.label(label), plain.label(label)[:, ::-1])


def test_outside_the_frame_is_black_and_ignored():
    image = np.full((4, 4, 3), 9, np.uint8)
    view = View(-1, -2, 6, 8, (6, 8), False)
    expected = np.zeros((6, 8), np.uint8)
    expected[1:5, 2:6] = 9
    assert np.array_equal(view.image(image)[..., 1], expected)
    label = view.label(np.zeros((4, 4), np.uint8))
    assert np.array_equal(label, np.where(expected == 9, 0, 255))


def test_a_label_never_holds_a_class_that_was_not_there():
    label = np.random.default_rng(0).choice(np.array([0, 3, 7], np.uint8), (32, 48))
    augment = Augment(crop=(24, 40), scale=(0.4, 2.5), flip=True)
    for seed in range(30):
        view = draw_view(augment, (32, 48), np.random.default_rng(seed))
        assert set(np.unique(view.label(label))) <= {0, 3, 7, 255}


WINDOWS = [(6, 24, (4, 16)), (24, 6, (16, 4)), (6, 6, (9, 3)), (6, 6, (3, 9)), (3, 9, (6, 18))]


@pytest.mark.parametrize(("height", "width", "out"), WINDOWS)
def test_a_window_that_loses_height_is_averaged_and_another_interpolated(height, width, out):
    source = np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)
    way = cv2.INTER_AREA if height > out[0] else cv2.INTER_LINEAR
    expected = cv2.resize(source[:height, :width], out[::-1], interpolation=way)
    assert np.array_equal(View(0, 0, height, width, out, False).image(source), expected)


def test_a_crop_larger_than_the_frame_holds_the_whole_frame():
    for seed in range(20):
        view = draw_view(Augment(crop=(40, 60)), (32, 48), np.random.default_rng(seed))
        assert (view.label(np.zeros((32, 48), np.uint8)) == 0).sum() == 32 * 48


def test_every_place_inside_the_frame_comes_up_and_none_outside():
    views = [draw_view(Augment(crop=(30, 45)), (32, 48), np.random.default_rng(seed)) for seed in range(80)]
    assert {view.top for view in views} == {0, 1, 2}
    assert {view.left for view in views} == {0, 1, 2, 3}


def test_every_place_of_a_small_frame_in_its_window_comes_up():
    views = [draw_view(Augment(crop=(33, 50)), (32, 48), np.random.default_rng(seed)) for seed in range(80)]
    assert {view.top for view in views} == {-1, 0}
    assert {view.left for view in views} == {-2, -1, 0}


def test_a_crop_of_one_pixel_is_possible():
    view = draw_view(Augment(crop=(1, 1), scale=(2.0, 2.0)), (4, 6), np.random.default_rng(0))
    assert (view.height, view.width) == (1, 1)


@pytest.mark.parametrize("enlarged", [0.5, 1.0, 2.0])
def test_scales_lie_between_the_two_and_keep_the_form(enlarged):
    augment = Augment(crop=(60, 100), scale=(0.5 * enlarged, 2.0 * enlarged))
    views = [draw_view(augment, (400, 600), np.random.default_rng(seed)) for seed in range(60)]
    for view in views:
        scale = 60 / view.height
        assert 0.49 * enlarged < scale < 2.1 * enlarged
        assert abs(view.width - view.height * 100 / 60) < 1.5
        assert view.out == (60, 100)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"crop": (0, 4)}, "must be at least 1×1"),
        ({"crop": (4, 4), "scale": (2.0, 1.0)}, "two rising numbers above 0"),
        ({"crop": (4, 4), "scale": (0.0, 1.0)}, "two rising numbers above 0"),
    ],
)
def test_impossible_augments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Augment(**arguments)
