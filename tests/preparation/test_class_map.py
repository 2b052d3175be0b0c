"""The labelling network's classes become label ids, by hand-made numbers."""

import numpy as np
import pytest
import torch

from deltadistill.data.label_table import ClassEntry
from deltadistill.preparation.class_map import map_classes

CLASSES = (ClassEntry("road", (0, 0, 0), (7,)), ClassEntry("car", (0, 0, 9), (26, 27)))


def logits(*pixels):
    """Of one frame of one row: the probabilities of the classes at each pixel."""
    return torch.tensor(pixels).log().T[None, :, None, :]


def test_equal_classes_keep_their_order_and_get_their_first_id():
    found = map_classes(CLASSES, 2, None, source="net.pt")
    ids = found.label(logits([0.9, 0.1], [0.2, 0.8]), threshold=0.5)
    assert ids.dtype == np.uint8
    assert ids.tolist() == [[[7, 26]]]


def test_pixels_below_the_threshold_are_ignored_and_those_on_it_count():
    found = map_classes(CLASSES, 2, None, source="net.pt")
    likely = logits([0.75, 0.25], [0.7, 0.3], [0.5, 0.5])
    assert found.label(likely, threshold=0.74).tolist() == [[[7, 255, 255]]]
    assert found.label(likely, threshold=0.0).tolist() == [[[7, 7, 7]]]
    assert found.label(likely, threshold=1.0).tolist() == [[[255, 255, 255]]]


def test_a_class_is_as_likely_as_all_that_count_as_it():
    found = map_classes(CLASSES, 4, {"car": [3, 1], "road": [2]}, source="net.pt")
    # classes of the network: 0 counts as nothing, 2 as road, 1 and 3 as car
    pixels = logits([0.1, 0.35, 0.2, 0.35], [0.1, 0.0, 0.8, 0.1], [0.6, 0.2, 0.1, 0.1])
    assert found.label(pixels, threshold=0.69).tolist() == [[[26, 7, 255]]]


def test_what_is_likeliest_no_class_of_the_data_set_is_ignored_however_low_the_threshold():
    found = map_classes(CLASSES, 3, {"car": [1], "road": [2]}, source="net.pt")
    assert found.label(logits([0.4, 0.3, 0.3]), threshold=0.0).tolist() == [[[255]]]


def test_ignored_pixels_get_an_id_that_no_class_takes():
    classes = (*CLASSES, ClassEntry("sky", (9, 9, 9), (255, 254)))
    found = map_classes(classes, 3, None, source="net.pt")
    assert found.label(logits([0.3, 0.3, 0.4]), threshold=0.9).tolist() == [[[253]]]


@pytest.mark.parametrize(
    ("network_classes", "table", "messages"),
    [
        (19, None, ["net.pt", "19 classes, the data set 2; write which of them belong together"]),
        (3, {"tram": [0]}, [r"tram is no class of the data set \(road, car\)"]),
        (3, {"car": [0, 3]}, ["the network has no class 3, only 0 to 2"]),
        (3, {"car": [1], "road": [1]}, ["class 1 occurs 2 times"]),
        (2, {"bus": [5, 5]}, ["3 faults", "bus is no class", "class 5 occurs 2", "no class 5, only 0 to 1"]),
    ],
)  # fmt: skip
def test_maps_that_do_not_fit_are_refused_with_all_reasons(network_classes, table, messages):
    with pytest.raises(ValueError, match=messages[0]) as error:
        map_classes(CLASSES, network_classes, table, source="net.pt")
    for message in messages[1:]:
        assert message.replace("\\", "") in str(error.value)


def test_classes_need_an_id_to_write():
    with pytest.raises(ValueError, match="car has no label id to write"):
        map_classes((CLASSES[0], ClassEntry("car", (0, 0, 9), ())), 2, None, source="net.pt")
