import numpy as np
import pytest

from deltadistill.data.boxes import (
    NO_TRACK,
    NOTHING,
    PADDING,
    UNKNOWN,
    Detections,
    Objects,
    area,
    iou_matrix,
    match,
)


def test_overlap_worked_by_hand():
    first = [[0, 0, 4, 4], [0, 0, 2, 2]]
    second = [[2, 0, 6, 4], [0, 0, 4, 4], [4, 0, 8, 4]]
    # 8 of 24; the same; they touch | 0 of 20 (touch); 4 of 16; apart
    expected = [[8 / 24, 1, 0], [0, 4 / 16, 0]]
    assert iou_matrix(first, second) == pytest.approx(np.array(expected))
    assert area(np.array(second, float)).tolist() == [16, 16, 16]


def test_nothing_overlaps_nothing():
    assert iou_matrix(np.zeros((0, 4)), [[0, 0, 1, 1]]).shape == (0, 1)
    assert iou_matrix([[3, 3, 3, 3]], [[3, 3, 3, 3]]).tolist() == [[0]]


def test_what_is_not_said_of_objects_is_unknown_or_false():
    objects = Objects([[0, 0, 1, 1]], [2])
    assert objects.tracks.tolist() == [NO_TRACK]
    assert [objects.occluded[0], objects.generated[0], objects.crowd[0]] == [False] * 3
    assert len(Objects([], [])) == len(Detections()) == 0


def test_marks_in_the_place_of_numbers_and_classes_are_none_of_them():
    assert max(NO_TRACK, NOTHING, PADDING, UNKNOWN) < 0  # those count from 0
    assert PADDING != UNKNOWN


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"boxes are \(n, 4\).*got \(1, 3\)"):
        Objects([[0, 0, 1]], [0])
    with pytest.raises(ValueError, match="'scores': 2"):
        Detections([[0, 0, 1, 1]], [0.5, 0.6], [0])


def test_objects_keep_all_but_their_boxes():
    objects = Objects([[0, 0, 1, 1]], [2], [7], [True], [False], [True]).with_boxes([[0, 0, 2, 2]])
    assert objects.boxes.tolist() == [[0, 0, 2, 2]]
    assert (objects.classes[0], objects.tracks[0], objects.occluded[0], objects.crowd[0]) == (
        2,
        7,
        True,
        True,
    )


def test_some_objects_are_chosen_with_all_that_is_known_of_them():
    objects = Objects([[0, 0, 1, 1], [0, 0, 2, 2]], [2, 3], [7, 8], occluded=[True, False])
    second = objects.chosen(np.array([False, True]))
    assert second.boxes.tolist() == [[0, 0, 2, 2]]
    assert (second.classes[0], second.tracks[0], second.occluded[0]) == (3, 8, False)
    assert objects.chosen([1, 0]).tracks.tolist() == [8, 7]


def test_matching_worked_by_hand():
    objects = Objects([[0, 0, 10, 10], [4, 0, 14, 10], [40, 0, 50, 10]], [1, 1, 2])
    boxes = [
        [1, 0, 11, 10],  # the surest of class 1: 90 of 110 with the first object, 70 of 130 with the second
        [0, 0, 10, 10],  # the next: the first is taken, and 60 of 140 with the second is too little
        [3, 0, 13, 10],  # the third: 90 of 110 with the second
        [40, 0, 50, 10],  # lies on the third object, but is of class 1
        [40, 0, 50, 5],  # exactly half of the third object
        [4, 0, 14, 10],  # nothing is left
    ]
    found = Detections(boxes, [0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [1, 1, 1, 1, 2, 1])
    assert match(found, objects, min_iou=0.5).tolist() == [0, NOTHING, 1, NOTHING, 2, NOTHING]
    # less is asked: the second detection takes the second object from the third one
    assert match(found, objects, min_iou=0.4).tolist() == [0, 1, NOTHING, NOTHING, 2, NOTHING]


def test_scores_and_not_the_order_of_detections_decide_what_is_matched():
    objects = Objects([[0, 0, 10, 10]], [0])
    boxes, classes = [[0, 0, 10, 10]] * 3, [0, 0, 0]
    assert match(Detections(boxes, [0.2, 0.9, 0.5], classes), objects, min_iou=0.5).tolist() == [-1, 0, -1]
    assert match(Detections(boxes, [0.5, 0.5, 0.5], classes), objects, min_iou=0.5).tolist() == [0, -1, -1]


def test_without_objects_or_detections_nothing_is_matched():
    assert match(Detections(), Objects([[0, 0, 1, 1]], [0]), min_iou=0.5).shape == (0,)
    found = Detections([[0, 0, 1, 1]], [0.5], [0])
    assert match(found, Objects([], []), min_iou=0.5).tolist() == [NOTHING]


@pytest.mark.parametrize(
    "kind", [lambda: Objects([[0, 0, 2, 1]], [3]), lambda: Detections([[0, 0, 2, 1]], [0.5], [3])]
)
def test_objects_and_detections_are_equal_to_themselves_alone(kind):
    """Their arrays have no one truth to compare by."""
    one, other = kind(), kind()
    assert one == one
    assert one != other
    assert len({one, other, one}) == 2
