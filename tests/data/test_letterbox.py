import numpy as np
import pytest

from deltadistill.data.letterbox import FILL, Letterbox


def test_a_wide_picture_is_scaled_by_its_width_and_filled_below():
    box = Letterbox((720, 1280), (512, 512))
    assert box.inner == (288, 512)
    image = box.image(np.full((720, 1280, 3), 200, np.uint8))
    assert image.shape == (512, 512, 3)
    assert (image[:288] == 200).all()
    assert (image[288:] == FILL).all()


@pytest.mark.parametrize(
    ("source", "inner"),
    [
        ((720, 1280), (562, 1000)),
        ((480, 640), (600, 800)),
        ((300, 900), (333, 1000)),
        ((600, 1000), (600, 1000)),
    ],
)
def test_into_600_by_1000_is_short_side_600_and_long_side_at_most_1000(source, inner):
    height, width = source
    scale = min(600 / height, 1000 / width)
    assert Letterbox(source, (600, 1000)).inner == inner == (round(height * scale), round(width * scale))


def test_a_picture_of_the_wanted_size_is_left_alone():
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    assert Letterbox((6, 8), (6, 8)).image(pixels) is pixels


def test_boxes_move_with_the_pixels():
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[10:20, 30:70] = 255
    box = Letterbox((40, 80), (32, 32))
    moved = box.boxes([[30, 10, 70, 20]])
    assert moved.tolist() == [[12, 4, 28, 8]]  # scaled by 0.4
    white = np.argwhere(box.image(pixels)[..., 0] > 200)
    assert white.min(0).tolist() == [4, 12]
    assert (white.max(0) + 1).tolist() == [8, 28]


def test_a_picture_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"a picture of \(4, 4\) was given, expected \(6, 8\)"):
        Letterbox((6, 8), (6, 8)).image(np.zeros((4, 4, 3), np.uint8))


def test_what_fills_is_the_mean_of_imagenet_in_red_green_and_blue():
    assert tuple(round(255 * mean) for mean in (0.485, 0.456, 0.406)) == FILL


@pytest.mark.parametrize(
    ("source", "inner"),
    [((1000, 2), (10, 1)), ((3, 1000), (1, 10)), ((1000, 149), (10, 1)), ((1000, 151), (10, 2))],
)
def test_a_thin_picture_is_one_pixel_wide_at_least(source, inner):
    box = Letterbox(source, (10, 10))
    assert box.inner == inner
    image = box.image(np.full((*source, 3), 200, np.uint8))
    assert (image[: inner[0], : inner[1]] == 200).all()
    assert (image == 200).all(2).sum() == inner[0] * inner[1]
