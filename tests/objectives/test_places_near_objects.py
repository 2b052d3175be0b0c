"""Places near objects, against a mask worked by hand; the anchors of both kinds of detectors."""

import pytest
import torch
from tasks.boxes_by_hand import LAYOUT, Anchored, detection, references
from tasks.detectors import SIZE, build

from deltadistill.data.boxes import UNKNOWN
from deltadistill.objectives.places_near_objects import places_near_objects

# Two maps: squares of 10 side by side in a row of four places, and one of 40 by 20 over all of them.
SMALL = torch.tensor([[[[10.0 * x, 0, 10.0 * x + 10, 10]] for x in range(4)]])
LARGE = torch.tensor([[[[0.0, 0, 40, 20]]]])


def masks(*frames, threshold=0.5):
    found = places_near_objects([SMALL, LARGE], references(*frames), threshold=threshold)
    return [mask.flatten(1).tolist() for mask in found]


def test_a_place_counts_where_its_anchor_fits_more_than_half_as_well_as_the_best():
    # a box from x 6 to 16, 4 columns of one square, 6 of the next; IoU 4 / 16 and 6 / 14, halved 3 / 14
    assert masks([(6, 0, 16, 10, 0)]) == [[[True, True, False, False]], [[False]]]
    assert masks([(6, 0, 16, 10, 0)], threshold=0.6) == [[[False, True, False, False]], [[False]]]


def test_the_best_anchor_is_that_of_all_maps():
    # 40 by 16: IoU with the large one 0.8, with each square 100 / 640
    assert masks([(0, 0, 40, 16, 1)]) == [[[False] * 4], [[True]]]


def test_every_object_of_a_frame_counts_and_padding_and_unknown_frames_do_not():
    found = masks([(0, 0, 10, 10, 0), (30, 0, 40, 10, 1)], [(0, 0, 10, 10, 0)], [], [(0, 0, 0, 0, UNKNOWN)])
    nothing = [False] * 4
    assert found[0] == [[True, False, False, True], [True, False, False, False], nothing, nothing]
    assert found[1] == [[False]] * 4


def test_an_object_that_no_anchor_touches_counts_nowhere():
    assert masks([(100, 100, 110, 110, 0)], threshold=0.0) == [[[False] * 4], [[False]]]


def places(task, network, size, references):
    grids = task.anchor_grids(size, references.device, network=network)
    return places_near_objects(grids, references, threshold=0.9)


def test_anchors_of_a_pyramid_lie_where_they_predict():
    grids = places(detection(), Anchored(), (128, 128), references([(28, 20, 60, 52, 0)]))
    assert [tuple(mask.shape[1:]) for mask in grids] == LAYOUT.level_sizes
    (place,) = grids[0][0].nonzero().tolist()  # middle at x 44, y 36, 4 strides of 8 long
    assert place == [4, 5]
    assert not any(mask.any() for mask in grids[1:])
    with pytest.raises(ValueError, match=r"anchors are for frames of \(128, 128\), got \(64, 64\)"):
        places(detection(), Anchored(), (64, 64), references([]))


@pytest.mark.parametrize(("size", "scale"), [(SIZE, 1), ((64, 64), 2)])
def test_anchors_of_regions_lie_where_the_resized_frame_has_them(size, scale):
    network = build("faster_rcnn_r101")
    box = [value / scale for value in (48 - 16, 32 - 16, 48 + 16, 32 + 16)]  # the place in row 2, column 3
    (mask,) = places(detection(3), network, size, references([(*box, 2)]))
    assert mask.shape == (1, 8, 8)
    assert mask[0].nonzero().tolist() == [[2, 3]]
