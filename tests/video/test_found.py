"""Outputs of networks as boxes, labels, maps, classes: in the picture's pixels, drawn and as JSON."""

import numpy as np
import pytest

from deltadistill.video.decoders import boxes, by_form, classes, labels, number_map, tensors
from deltadistill.video.fitting import fitted, placed, window
from deltadistill.video.found import Showing, found_in
from deltadistill.video.palette import colour, colours

PICTURE, FRAME = (40, 100), (20, 20)


def found(decoded, *, fit="stretch", **showing):
    where = window(PICTURE, FRAME, fit)
    return found_in(decoded, picture=PICTURE, frame=FRAME, where=where, showing=Showing(**showing))


@pytest.mark.parametrize(
    ("fit", "expected"),
    [
        ("stretch", (0, 0, 100, 40)),
        ("letterbox", (0, 0, 100, 100)),  # 40 rows become 8 of 20, the rest is filled
        ("crop", (30, 0, 70, 40)),
    ],
)
def test_where_a_frame_lies_in_its_picture(fit, expected):
    assert window(PICTURE, FRAME, fit) == pytest.approx(expected)


@pytest.mark.parametrize("fit", ["stretch", "letterbox", "crop"])
def test_a_frame_shows_what_lies_in_its_window(fit):
    picture = np.zeros((*PICTURE, 3), np.uint8)
    picture[:20] = 200  # the upper half
    frame = fitted(picture, FRAME, fit)
    assert (frame.shape, frame.flags.c_contiguous) == ((*FRAME, 3), True)
    _, top, _, bottom = window(PICTURE, FRAME, fit)
    rows = round(20 * 20 / (bottom - top))
    assert (frame[: rows - 1] > 150).all()
    assert (frame[rows + 1 : round(40 * 20 / (bottom - top))] < 50).all()


def test_an_unknown_fit_is_refused():
    with pytest.raises(ValueError, match="fit 'squash' is unknown; allowed: stretch, letterbox, crop"):
        window(PICTURE, FRAME, "squash")


@pytest.mark.parametrize(
    ("fit", "expected"),
    [("stretch", [50, 10, 100, 40]), ("letterbox", [50, 25, 100, 40]), ("crop", [50, 10, 70, 40])],
)
def test_boxes_come_back_into_the_picture_and_end_at_its_border(fit, expected):
    result = found({"boxes": [[10, 5, 20, 20]]}, fit=fit)
    assert result.as_json()["boxes"][0]["box"] == pytest.approx(expected)


def test_boxes_below_the_threshold_are_left_out_and_the_surest_come_first():
    decoded = {"boxes": np.ones((3, 4)), "scores": [0.4, 0.6, 0.9], "labels": [0, 1, 7]}
    told = found(decoded, threshold=0.5, categories=("a", "b")).as_json()["boxes"]
    assert [(box["score"], box["label"], box["name"]) for box in told] == [(0.9, 7, "7"), (0.6, 1, "b")]


def test_a_box_is_drawn_in_its_colour_and_the_picture_stays_as_it_is():
    pixels = np.zeros((*PICTURE, 3), np.uint8)
    drawn = found({"boxes": [[4, 8, 16, 16]], "labels": [2]}).drawn(pixels)
    assert tuple(drawn[16, 40]) == colour(2)
    assert not pixels.any()


@pytest.mark.parametrize("fit", ["stretch", "letterbox", "crop"])
def test_a_label_map_comes_back_into_the_picture(fit):
    picture = np.zeros(PICTURE, np.uint8)
    picture[:, :60] = 9
    frame = fitted(np.dstack([picture] * 3), FRAME, fit)[..., 0]
    decoded = labels(np.where(frame == 9, 9, 0)[None].astype(np.int64))
    back = found(decoded, fit=fit).label_map
    left, _, right, _ = window(PICTURE, FRAME, fit)
    inside = slice(round(left), min(100, round(right)))
    assert (back[:, inside] == picture[:, inside]).mean() > 0.9
    assert back.shape == PICTURE


def test_labels_are_told_as_shares_and_drawn_over_the_picture_but_for_the_background():
    scores = np.zeros((1, 3, *FRAME), np.float32)
    scores[0, 2, :, :10] = 1
    result = found(labels([scores]), categories=("sky", "road", "car"), background=0)
    assert result.as_json() == {"shares": {"sky": 0.5, "car": 0.5}}
    pixels = np.full((*PICTURE, 3), 100, np.uint8)
    drawn = result.drawn(pixels)
    assert np.abs(drawn[5, 10].astype(int) - (100 + np.array(colour(2))) / 2).max() <= 1
    assert (drawn[:, 60:] == 100).all()


def test_a_map_is_told_by_its_range_and_drawn_dark_to_bright():
    values = np.zeros((1, 1, *FRAME), np.float32)
    values[..., 10:] = 1
    result = found(number_map(values))
    assert result.as_json() == {"map": {"least": 0.0, "mean": 0.5, "most": 1.0}}
    drawn = result.drawn(np.zeros((*PICTURE, 3), np.uint8))
    assert drawn[20, 80].sum() > drawn[20, 10].sum() + 50


def test_classes_are_told_with_their_probabilities_the_likeliest_first():
    told = found(classes(np.log([[1.0, 7.0, 2.0]])), categories=("a", "b", "c")).as_json()["classes"]
    assert [(row["name"], row["score"]) for row in told] == [("b", 0.7), ("c", 0.2), ("a", 0.1)]


def test_small_tensors_are_told_whole_and_large_ones_by_their_range():
    told = found(tensors({"a": [np.arange(3)], "b": np.ones((1, 100))})).as_json()["tensors"]
    assert told["a.0"] == {"shape": [3], "values": [0, 1, 2]}
    assert told["b"] == {"shape": [1, 100], "least": 1.0, "mean": 1.0, "most": 1.0}


@pytest.mark.parametrize(
    ("outputs", "key"),
    [
        ([{"boxes": np.zeros((0, 4)), "scores": np.zeros(0)}], "boxes"),
        ({"out": np.zeros((1, 4, 2, 2))}, "label_map"),
        (np.zeros((1, 1, 2, 2)), "map"),
        (np.zeros((1, 2, 2)), "map"),
        (np.zeros((1, 2, 2), np.int64), "label_map"),
        ((np.zeros((1, 10)),), "classes"),
        ((np.zeros((1, 4, 2, 2)), np.zeros((1, 4, 1, 1))), "tensors"),
    ],
)
def test_without_a_decoder_the_form_of_the_outputs_tells(outputs, key):
    assert key in by_form(outputs)


@pytest.mark.parametrize(
    ("decoder", "outputs", "says"),
    [
        (boxes, np.zeros((1, 4)), r"the network returned output \(1, 4\); write a function"),
        (labels, {"x": np.zeros((1, 4))}, r"the network returned x \(1, 4\); name another decoder"),
        (number_map, np.zeros((1, 3, 2, 2)), r"the decoder map takes an array"),
        (classes, np.zeros((1, 3, 2, 2)), r"the decoder classes takes scores"),
        (labels, [], r"the network returned no array"),
    ],
)
def test_a_decoder_that_does_not_fit_says_what_the_network_returned(decoder, outputs, says):
    with pytest.raises(ValueError, match=says):
        decoder(outputs)


def test_what_a_function_of_ones_own_returns_has_to_have_one_of_the_forms():
    with pytest.raises(ValueError, match=r"a decoder returned \['points'\]; expected boxes, label_map"):
        found({"points": []})
    with pytest.raises(ValueError, match="returned 2 boxes, 1 scores and 2 labels"):
        found({"boxes": np.zeros((2, 4)), "scores": [1.0]})


def test_colours_of_neighbouring_classes_are_far_apart():
    shades = colours(40).astype(int)
    assert np.abs(shades[1:] - shades[:-1]).sum(1).min() > 100
    assert len({tuple(shade) for shade in shades}) == 40


def test_what_lies_beyond_the_picture_is_cut_off():
    frame = np.arange(16, dtype=np.int32).reshape(4, 4)
    assert placed(frame, (2, 4), (0, 0, 4, 4)).tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert placed(frame, (4, 6), (2, 0, 6, 4))[0].tolist() == [0, 0, 0, 1, 2, 3]
