"""Which task a data set is for: by its description, by its kind, or by the parameters."""

import sys

import pytest

from deltadistill.data.dataset_info import DatasetInfo, info_to_json
from deltadistill.data.label_table import ClassEntry
from deltadistill.tasks import of_dataset
from deltadistill.tasks.classification import Classification
from deltadistill.tasks.detection import Detection
from deltadistill.tasks.segmentation import Segmentation

CLASSES = (ClassEntry("a", (0, 0, 0), (1,)), ClassEntry("b", (1, 1, 1), (2,)))
BOXES = {"min_score": 0.1, "max_iou": 0.5, "candidates": 10, "max_detections": 5, "shown_score": 0.4}
LOSS = {
    "name": "ohem",
    "ohem_threshold": 0.8,
    "ohem_keep": 0.2,
    "class_weights": None,
    "label_smoothing": 0.0,
}
OWN = """class Mine:
    @classmethod
    def of_dataset(cls, info, *, boxes, loss):
        return cls()
"""


def info(kind="generated", **named):
    return DatasetInfo(kind, (8, 8), CLASSES, **named)


def build(described, **more):
    return of_dataset.build(described, boxes=BOXES, **more)


@pytest.mark.parametrize(
    ("kind", "task", "annotation"),
    [
        ("generated", "segmentation", "label_maps"),
        ("cityscapes", "segmentation", "label_maps"),
        ("video", "segmentation", "label_maps"),
        ("masks", "segmentation", "label_maps"),
        ("generated_detection", "detection", "boxes"),
        ("imagenet_vid", "detection", "boxes"),
        ("coco_video", "detection", "boxes"),
        ("imagefolder", "classification", "targets"),
    ],
)
def test_a_description_that_names_no_task_has_that_of_its_kind(kind, task, annotation):
    assert (info(kind).task, info(kind).annotation) == (task, annotation)


def test_the_named_task_goes_before_the_kinds_and_a_description_says_only_what_is_named():
    described = info("masks", named_task="classification")
    assert (described.task, described.annotation) == ("classification", "targets")
    assert info_to_json(described, {}, ())["task"] == "classification"
    assert not {"task", "annotation"} & set(info_to_json(info(), {}, ()))
    with pytest.raises(ValueError, match="annotation is 'words'; expected label_maps, boxes, targets"):
        info(named_annotation="words")


def test_tasks_are_made_by_the_sections_of_the_parameters():
    assert build(info(), loss=LOSS) == Segmentation(2, "ohem", 0.8, 0.2)
    found = build(info("imagenet_vid"), loss=LOSS)
    assert isinstance(found, Detection)
    assert (found.classes, found.suppression.max_detections, found.shown_score) == (2, 5, 0.4)
    assert build(info("imagefolder")) == Classification(2)


def test_the_parameters_may_name_another_task_than_the_description():
    assert isinstance(build(info(), named="classification"), Classification)


def test_a_description_imports_no_code_but_the_parameters_may(tmp_path, monkeypatch):
    (tmp_path / "task_of_mine.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    described = info(named_task="task_of_mine:Mine")
    with pytest.raises(
        ValueError, match=r"may not make this program import code; .*\(task: task_of_mine:Mine\)"
    ):
        build(described)
    assert "task_of_mine" not in sys.modules
    assert type(build(described, named="task_of_mine:Mine")).__name__ == "Mine"
    assert type(build(described)).__name__ == "Mine"  # as it is imported now
    del sys.modules["task_of_mine"]


def test_an_unknown_task_is_named_with_those_that_are_known():
    with pytest.raises(ValueError, match="task 'depth' is unknown; allowed: segmentation, detection, class"):
        build(info(named_task="depth"))
