import json

import numpy as np
import pytest

from deltadistill.data.box_files import read_box_file, write_box_file
from deltadistill.data.boxes import NO_TRACK, Objects
from deltadistill.files.limits import MOST_PIXELS
from deltadistill.preparation.box_faults import clipped, object_faults

CLASSES = ("car", "person")
FRAMES = {
    0: Objects([[0, 1, 5, 6.25], [2, 2, 4, 4]], [0, 1], [7, NO_TRACK], occluded=[True, False]),
    1: Objects([], []),
    3: Objects([[1, 1, 2, 2]], [1], [7], crowd=[True], generated=[True]),
}


def test_a_clip_reads_back_as_written(tmp_path):
    path = tmp_path / "deep" / "clip.json"
    write_box_file(path, FRAMES, size=(8, 9), classes=CLASSES)
    frames, size = read_box_file(path, CLASSES)
    assert size == (8, 9)
    assert frames.keys() == FRAMES.keys()
    for index, objects in FRAMES.items():
        for name in objects.__dataclass_fields__:
            assert np.array_equal(getattr(frames[index], name), getattr(objects, name)), name
    first = json.loads(path.read_text())["0"]
    assert first[0] == {"id": 7, "class": "car", "box": [0, 1, 5, 6.25], "occluded": True}
    assert first[1] == {"id": None, "class": "person", "box": [2, 2, 4, 4]}


def test_files_without_size_are_read(tmp_path):
    path = tmp_path / "clip.json"
    path.write_text('{"0": [{"id": 1, "class": "car", "box": [0, 0, 2, 2]}], "1": []}')
    frames, size = read_box_file(path, CLASSES)
    assert size is None
    assert [len(frames[index]) for index in (0, 1)] == [1, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"0": [{"id": 1, "class": "bus", "box": [0, 0, 2, 2]}]}', "class 'bus' is not one of car, person"),
        ('{"0": [{"id": 1, "class": "car"}]}', "box"),
        ('{"0": [', "not JSON|not readable as boxes"),
        ("[]", "not JSON|not readable as boxes"),
    ],
)
def test_files_that_are_none_are_refused(tmp_path, text, message):
    (tmp_path / "clip.json").write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        read_box_file(tmp_path / "clip.json", CLASSES)
    assert "clip.json" in str(error.value)


@pytest.mark.parametrize("size", [(1, 7), (7, 1), (1, MOST_PIXELS), (MOST_PIXELS // 2, 2)])
def test_a_clips_pictures_may_have_any_size_that_is_read(tmp_path, size):
    write_box_file(tmp_path / "clip.json", FRAMES, size=size, classes=CLASSES)
    assert read_box_file(tmp_path / "clip.json", CLASSES)[1] == size


@pytest.mark.parametrize(
    "size", [[0, 7], [7, 0], [-1, 7], [MOST_PIXELS // 2 + 1, 2], [7], [7, 7, 7], [7, 1.5]]
)
def test_a_size_that_no_picture_has_is_refused(tmp_path, size):
    (tmp_path / "clip.json").write_text(json.dumps({"size": size, "0": []}))
    with pytest.raises(ValueError, match=r"clip\.json is not readable as boxes \(its size is"):
        read_box_file(tmp_path / "clip.json", CLASSES)


def test_boxes_without_area_or_outside_and_doubled_tracks_are_faults():
    boxes = [[0, 0, 9, 8], [3, 3, 3, 5], [-1, 0, 2, 2], [0, 0, 10, 8], [0, 0, 9, 8.5]]
    faults = object_faults(Objects(boxes, [0] * 5, [1, 2, 2, NO_TRACK, NO_TRACK]), (8, 9), "a.xml")
    assert faults == [
        "a.xml: box (3, 3, 3, 5) has no area; expected x0 < x1 and y0 < y1",
        "a.xml: box (-1, 0, 2, 2) lies outside its image of 8×9",
        "a.xml: box (0, 0, 10, 8) lies outside its image of 8×9",
        "a.xml: box (0, 0, 9, 8.5) lies outside its image of 8×9",
        "a.xml: track 2 occurs 2 times",
    ]


def test_boxes_can_be_cut_off_at_the_border():
    objects = Objects([[-1, 0, 2, 2], [0, 0, 9, 8], [9, 1, 12, 4]], [0, 1, 0], [1, 2, 3])
    kept, changed = clipped(objects, (8, 9))
    assert changed == 2
    assert kept.boxes.tolist() == [[0, 0, 2, 2], [0, 0, 9, 8]]
    assert kept.tracks.tolist() == [1, 2]
