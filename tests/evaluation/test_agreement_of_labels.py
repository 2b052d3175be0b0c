"""Temporal consistency of label maps that can be counted by hand."""

import math

import pytest
import torch

from deltadistill.evaluation.agreement_of_labels import Consistency, Warp

BEFORE = torch.tensor([[0, 0, 1, 1]] * 4, dtype=torch.uint8)[None]
RIGHT_BY_ONE = torch.stack([torch.full((4, 4), -1.0), torch.zeros(4, 4)])[None]  # backward flow


def rows(columns):
    return torch.tensor([columns] * 4, dtype=torch.uint8)[None]


def test_a_shift_by_one_pixel_brings_labels_along_and_marks_what_came_in():
    assert Warp(RIGHT_BY_ONE)(BEFORE).tolist() == rows([255, 0, 0, 1]).tolist()


def test_of_a_map_of_one_pixel_nothing_may_be_left():
    away = torch.full((1, 2, 1, 1), 3.0)
    label = torch.tensor([[[4]]], dtype=torch.uint8)
    assert Warp(away)(label).tolist() == [[[255]]]
    assert Warp(0 * away)(label).tolist() == [[[4]]]


def test_what_comes_from_beyond_any_border_is_unknown():
    labels = torch.arange(12, dtype=torch.uint8).view(1, 3, 4)
    one = torch.ones(1, 3, 4)
    left, up = torch.stack([one, 0 * one], 1), torch.stack([0 * one, one], 1)  # backward flow
    assert Warp(left)(labels)[0].tolist() == [[1, 2, 3, 255], [5, 6, 7, 255], [9, 10, 11, 255]]
    assert Warp(-left)(labels)[0].tolist() == [[255, 0, 1, 2], [255, 4, 5, 6], [255, 8, 9, 10]]
    assert Warp(up)(labels)[0].tolist() == [[4, 5, 6, 7], [8, 9, 10, 11], [255] * 4]
    assert Warp(-up)(labels)[0].tolist() == [[255] * 4, [0, 1, 2, 3], [4, 5, 6, 7]]


def test_flow_is_horizontal_first_and_rounds_to_the_nearest_pixel():
    labels = torch.arange(9, dtype=torch.uint8).view(1, 3, 3)
    down = torch.stack([torch.full((3, 3), 0.4), torch.full((3, 3), -0.6)])[None]
    assert Warp(down)(labels)[0].tolist() == [[255, 255, 255], [0, 1, 2], [3, 4, 5]]


def test_a_prediction_that_moves_with_the_scene_is_fully_consistent():
    meter = Consistency(classes=3)
    meter.update(Warp(RIGHT_BY_ONE)(BEFORE), rows([0, 0, 0, 1]))
    assert meter.percent() == 100
    assert meter.coverage_percent() == 75  # a column of four came from outside


def test_a_frozen_prediction_of_a_moving_scene_is_not_consistent():
    # warped 0 0 1 against frozen 0 1 1: class 0 one of two columns, class 1 one of two; class 2 is absent
    meter = Consistency(classes=3)
    meter.update(Warp(RIGHT_BY_ONE)(BEFORE), BEFORE)
    assert meter.percent() == 50


def test_intersections_and_unions_are_summed_over_pairs_before_they_are_divided():
    still = Warp(torch.zeros(1, 2, 4, 4))
    meter = Consistency(classes=2)
    meter.update(still(rows([0, 0, 0, 1])), rows([0, 0, 0, 1]))
    meter.update(still(rows([0, 0, 0, 0])), rows([0, 0, 0, 1]))
    # class 0: 3 + 3 of 3 + 4 columns; class 1: 1 + 0 of 1 + 1
    assert meter.percent() == pytest.approx(100 * (6 / 7 + 1 / 2) / 2)


def test_hidden_pixels_are_left_out_when_the_mask_is_on():
    meter = Consistency(classes=2)
    visible = torch.tensor([[True, True, True, False]] * 4)[None]
    meter.update(Warp(RIGHT_BY_ONE, visible=visible)(BEFORE), rows([0, 0, 0, 0]))
    assert (meter.percent(), meter.coverage_percent()) == (100, 50)


def test_nothing_seen_gives_nan():
    assert math.isnan(Consistency(classes=2).percent())
    assert math.isnan(Consistency(classes=2).coverage_percent())


def test_flow_of_another_size_is_refused():
    with pytest.raises(ValueError, match="do not fit"):
        Warp(torch.zeros(1, 2, 4, 5))(BEFORE)
