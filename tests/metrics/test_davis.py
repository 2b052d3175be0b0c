"""DAVIS's J and F and their statistics, by masks and numbers worked by hand."""

import numpy as np
import pytest

from deltadistill.metrics.davis import (
    Statistics,
    contour,
    contour_accuracy,
    over_videos,
    region_similarity,
    statistics,
)


def mask(*rows):
    return np.array([[letter == "#" for letter in row] for row in rows])


def square(row, column, size=4, of=12):
    made = np.zeros((of, of), dtype=bool)
    made[row : row + size, column : column + size] = True
    return made


def test_region_similarity_is_intersection_over_union():
    assert region_similarity(mask("##.", "##."), mask(".##", ".##")) == 2 / 6
    assert region_similarity(mask("...", "..."), mask("...", "...")) == 1
    assert region_similarity(mask("..."), mask("#..")) == 0


def test_a_contour_lies_half_a_pixel_towards_the_corner_where_counting_begins():
    found = contour(mask("....", ".##.", ".##.", "...."))
    assert (found == mask("###.", "#.#.", "###.", "....")).all()


def test_the_border_of_the_picture_is_no_contour():
    assert not contour(np.ones((3, 4), dtype=bool)).any()
    assert (contour(mask("##.", "##.", "##.")) == mask(".#.", ".#.", ".#.")).all()


def test_contour_accuracy_is_the_f_measure_of_matched_pixels():
    # 12×12: the diagonal is 17 pixels, 0.008 of it one pixel once rounded up
    assert contour_accuracy(square(3, 3), square(3, 3)) == 1
    assert contour_accuracy(square(3, 4), square(3, 3)) == 1  # one aside: all within the tolerance
    assert contour_accuracy(square(0, 7), square(7, 0)) == 0
    # Ring of a square: 16 pixels, two aside: what runs along the shift matches but for its ends
    shifted = contour_accuracy(square(3, 5), square(3, 3))
    # columns 2…6 and 4…8, rows 2 and 6 whole, rows 3…5 at both ends. Mine at rows 2 and 6: columns 4…7 are
    # within one of 2…6, twice 4; at rows 3…5: column 4 has row 2 or 6 beside it in rows 3 and 5, 8 has not.
    assert shifted == (2 * 4 + 2) / 16


def test_a_mask_that_is_missed_or_made_up_has_no_accuracy_and_two_empty_ones_agree():
    empty = np.zeros((12, 12), dtype=bool)
    assert contour_accuracy(empty, square(3, 3)) == contour_accuracy(square(3, 3), empty) == 0
    assert contour_accuracy(empty, empty) == 1


def test_statistics_of_eight_frames():
    found = statistics([1, 0.9, 0.8, 0.6, 0.5, 0.4, 0.3, 0.1])
    # ends of quarters: 1, 2.75, 4.5, 6.25, 8, rounded 1, 3, 5 (4.5 and a little), 6, 8: frames 1-3 and 6-8
    assert found.mean == pytest.approx(4.6 / 8)
    assert found.recall == 4 / 8
    assert found.decay == pytest.approx(0.9 - 0.8 / 3)


def test_a_long_video_decays_between_its_own_quarters():
    values = [1.0] * 300 + [0.0] * 300
    assert statistics(values).decay == 1
    assert statistics([0.7]) == Statistics(0.7, 1, 0)


def test_every_video_counts_once():
    assert over_videos([Statistics(1, 0.5, 0.25), Statistics(0.5, 0, -0.25)]) == Statistics(0.75, 0.25, 0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: region_similarity(np.zeros((2, 2)), np.zeros((2, 2))), "float64"),
        (lambda: contour_accuracy(square(0, 0), square(0, 0, of=11)), r"\(12, 12\).*\(11, 11\)"),
        (lambda: statistics([]), "no frame"),
        (lambda: over_videos([]), "no video"),
    ],
)
def test_what_has_no_value_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
