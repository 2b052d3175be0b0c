"""dataset.json: every fact comes back as it was written, and what cannot be is refused with its place."""

import json
from pathlib import Path

import pytest

from deltadistill.data.dataset_info import (
    FILE_NAME,
    KINDS_OF_BOXES,
    KINDS_OF_CLASSES,
    DatasetInfo,
    VideoInfo,
    info_to_json,
    read_info,
)
from deltadistill.data.label_table import ClassEntry
from deltadistill.files.limits import MOST_PIXELS

CLASSES = (ClassEntry("road", (128, 64, 0), (7,)), ClassEntry("car", (0, 255, 142), (26, 0, 255)))
FULL = DatasetInfo(
    "video",
    (48, 64),
    CLASSES,
    "exact",
    "a drive",
    "letterbox",
    (
        VideoInfo("one", "/v/one.mp4", 29.97, 3, ("3 damaged frames left out", "1 gap")),
        VideoInfo("two", "two.mkv"),
    ),
    named_task="package.module:Depth",
    named_annotation="boxes",
)
PLAIN = DatasetInfo("cityscapes", (2, 3), CLASSES)


def written(folder, info, elsewhere=(), **changes):
    facts = info_to_json(info, {"frames": {"train": 4}}, elsewhere)
    (folder / FILE_NAME).write_text(json.dumps(facts | changes))
    return facts


@pytest.mark.parametrize("info", [FULL, PLAIN], ids=["all of it", "what there has to be"])
def test_facts_read_back_as_they_were_written(tmp_path, info):
    places = (Path("/data/a"), Path("/data/b"), Path("/data/c"))
    written(tmp_path, info, places)
    assert read_info(tmp_path) == (info, places)


def test_what_a_data_set_does_not_have_is_not_written(tmp_path):
    facts = written(tmp_path, PLAIN)
    assert set(facts) == {"kind", "size", "classes", "ignore_id", "frames", "flow", "source"}
    assert facts["frames"] == {"train": 4}
    assert read_info(tmp_path) == (PLAIN, ())


def test_the_kind_says_what_it_is_annotated_for_unless_the_description_does():
    def of(kind, **named):
        info = DatasetInfo(kind, (1, 1), (), **named)
        return info.task, info.annotation

    assert {of(kind) for kind in KINDS_OF_BOXES} == {("detection", "boxes")}
    assert {of(kind) for kind in KINDS_OF_CLASSES} == {("classification", "targets")}
    assert of("cityscapes") == of("unheard of") == ("segmentation", "label_maps")
    assert of("cityscapes", named_task="detection") == ("detection", "boxes")
    assert of("imagenet_vid", named_task="package:Own") == ("package:Own", "targets")
    assert of("imagefolder", named_annotation="label_maps") == ("classification", "label_maps")


@pytest.mark.parametrize(
    ("named", "most"),
    [
        ({}, 255),
        ({"task": "detection"}, 255),
        ({"task": "classification"}, 65_536),
        ({"task": "classification", "annotation": "label_maps"}, 255),
        ({"annotation": "targets"}, 65_536),
        ({"kind": "imagefolder"}, 65_536),
    ],
)
def test_classes_are_as_many_as_the_annotation_tells_apart(tmp_path, named, most):
    one = {"name": "c", "color": [0, 0, 0], "label_ids": []}
    written(tmp_path, PLAIN, classes=[one] * most, **named)
    assert len(read_info(tmp_path)[0].classes) == most
    written(tmp_path, PLAIN, classes=[one] * (most + 1), **named)
    with pytest.raises(ValueError, match=f"there are {most + 1} classes; expected at most {most}"):
        read_info(tmp_path)


def test_the_smallest_and_the_largest_pictures_are_taken(tmp_path):
    for size in ((1, 1), (1, MOST_PIXELS), (MOST_PIXELS // 2, 2)):
        written(tmp_path, PLAIN, size=size)
        assert read_info(tmp_path)[0].size == size


VIDEO = {"name": "a", "path": "a.mp4", "frames_per_second": None, "damaged": 0, "notes": []}


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"size": [0, 3]}, "size.0"),
        ({"size": [3, 0]}, "size.1"),
        ({"size": [3, True]}, "size.1"),
        ({"size": [3]}, "size.1"),
        ({"size": [MOST_PIXELS // 2 + 1, 2]}, "size"),
        ({"classes": [{"name": "c", "color": [0, 256, 0], "label_ids": []}]}, "classes.0.color.1"),
        ({"classes": [{"name": "c", "color": [0, 0, -1], "label_ids": []}]}, "classes.0.color.2"),
        ({"classes": [{"name": "c", "color": [0, 0, 0], "label_ids": [3, 256]}]}, "classes.0.label_ids.1"),
        ({"flow": "guessed"}, "flow"),
        ({"fit": "crop"}, "fit"),
        ({"annotation": "masks"}, "annotation"),
        ({"task": "a task"}, "task"),
        ({"task": "a" * 201}, "task"),
        ({"videos": [VIDEO, VIDEO | {"frames_per_second": 0}]}, "videos.1.frames_per_second"),
        ({"videos": [VIDEO | {"damaged": -1}]}, "videos.0.damaged"),
        ({"videos": [VIDEO | {"damaged": True}]}, "videos.0.damaged"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(tmp_path, changes, place):
    written(tmp_path, PLAIN, **changes)
    with pytest.raises(ValueError, match=rf"dataset\.json is damaged \({place}: .*run the stage"):
        read_info(tmp_path)


@pytest.mark.parametrize("named", [{"fit": "crop"}, {"named_annotation": "masks"}])
def test_a_description_of_ones_own_is_checked_too(named):
    with pytest.raises(ValueError, match=r"expected .*(letterbox|label_maps, boxes, targets)"):
        DatasetInfo("video", (2, 2), (), **named)
