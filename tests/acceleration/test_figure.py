"""The label of what is asked for lies beside the points, not on them."""

from acceleration.test_choice import PLAIN, trial

from deltadistill.acceleration.choice import choose
from deltadistill.acceleration.figure import figure, label_place


def test_the_label_lies_above_the_line_at_its_right_end_where_nothing_is():
    assert label_place(200, []) == (744, 195)
    assert label_place(200, [(100, 190), (744, 320)]) == (744, 195)


def test_a_point_sends_it_to_the_left_of_the_point_and_a_full_line_below():
    # A label of 110 pixels, with 10 around: a point at 700 is clear of it from 690 − 10 on, in steps of 20.
    assert label_place(200, [(700, 190)]) == (684, 195)
    assert label_place(200, [(x, 190) for x in range(60, 760, 20)]) == (744, 215)


def test_above_the_picture_there_is_no_place():
    assert label_place(14, []) == (744, 29)


def test_the_figure_marks_the_choice_down_to_its_lower_end():
    delta = trial("delta", {2: (2.0, 0.9)})
    svg = figure([PLAIN, delta], choose([PLAIN, delta], asked=0.8), frame_ms=10.0, asked=0.8, what="mIoU")
    assert "<title>the choice</title>" in svg
    assert ">asked for: 0.8</text>" in svg
    assert svg.count('stroke="#c00" stroke-width="2"') == 1
