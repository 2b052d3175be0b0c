"""Ground truth from COCO JSON and from label images."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from acceleration.conftest import shot
from preparation.small_videos import drifting

from deltadistill.acceleration.accelerate import accelerate
from deltadistill.acceleration.budget import Budget
from deltadistill.acceleration.label_truth import LabelTruth
from deltadistill.acceleration.truth_file import open_truth

SIZE = (48, 64)


def coco(path, *, images=None, annotations=None, categories=None):
    content = {
        "images": images or [{"id": 7, "file_name": "frame_0003.jpg", "height": 48, "width": 64}],
        "annotations": annotations
        or [
            {"id": 1, "image_id": 7, "category_id": 3, "bbox": [20, 10, 20, 20]},
            {"id": 2, "image_id": 7, "category_id": 9, "bbox": [0, 0, 5, 5]},
            {"id": 3, "image_id": 7, "category_id": 3, "bbox": [0, 0, 60, 40], "iscrowd": 1},
        ],
        "categories": categories or [{"id": 3, "name": "Car"}, {"id": 9, "name": "tree"}],
    }
    path.write_text(json.dumps(content))
    return str(path)


def test_coco_boxes_have_classes_by_name_and_frames_by_number(tmp_path):
    truth = open_truth(coco(tmp_path / "gt.json"), videos=["film.mp4"], categories=("person", "car", "bus"))
    assert (truth.covers(3), truth.covers(2)) == (True, False)
    found = {
        "boxes": np.array([[10, 5, 20, 15], [10, 5, 20, 15], [1, 1, 3, 3]]),  # of a frame of half the size
        "scores": np.array([0.9, 0.8, 0.7]),
        "labels": np.array([1, 2, 0]),  # a car; a bus and a person, which the truth is not about
    }
    record = truth.record(shot(drifting(4)), 3, found, (24, 32))
    assert (len(record[0]), record[2]) == (1, 1)
    assert truth.total([record]) == 1


def test_a_frame_id_tells_the_frame_without_a_name(tmp_path):
    images = [{"id": 7, "frame_id": 2, "file_name": "a.jpg"}]
    assert open_truth(coco(tmp_path / "gt.json", images=images), videos=["v"], categories=["car"]).covers(2)


def test_pictures_of_a_folder_are_named_as_they_are(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in (10, 11, 13):
        (folder / f"frame_{number:04}.png").write_bytes(b"")
    images = [{"id": 7, "file_name": "frame_0013.jpg"}]
    truth = open_truth(coco(tmp_path / "gt.json", images=images), videos=[str(folder)], categories=["car"])
    assert truth.covers(3)
    with pytest.raises(ValueError, match=r"gt\.json: image 7: frame_0003.*names no picture of"):
        open_truth(coco(tmp_path / "gt.json"), videos=[str(folder)], categories=["car"])


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (
            {"annotations": [{"image_id": 7, "category_id": 3, "bbox": [1, 2, 3]}]},
            "annotation 0 has the bbox",
        ),
        ({"annotations": [{"image_id": 8, "category_id": 3, "bbox": [1, 2, 3, 4]}]}, "image 8, which is not"),
        ({"annotations": [{"image_id": 7}]}, "KeyError 'category_id'; expected COCO JSON"),
        ({"categories": [{"id": 3, "name": "zebra"}]}, "is about zebra, and the network names car"),
        ({"images": [{"id": 7, "file_name": "first.jpg"}]}, "first.jpg has no number"),
    ],
)
def test_what_is_no_coco_json_of_the_network_is_refused_with_its_place(tmp_path, changed, told):
    with pytest.raises(ValueError, match=told) as error:
        open_truth(coco(tmp_path / "gt.json", **changed), videos=["film.mp4"], categories=["car"])
    assert "gt.json" in str(error.value)


def test_truth_of_another_size_is_refused(tmp_path):
    images = [{"id": 7, "file_name": "3.jpg", "height": 480, "width": 640}]
    truth = open_truth(coco(tmp_path / "gt.json", images=images), videos=["film.mp4"], categories=["car"])
    with pytest.raises(ValueError, match=r"frame 3 is 480×640 there, and 48×64 in film\.mp4"):
        truth.record(shot(drifting(4)), 3, {"boxes": []}, SIZE)


def test_another_content_of_the_same_file_has_another_digest(tmp_path):
    found = []
    for row in ("1,1,10,20,30,40,1\n", "1,1,10,20,30,41,1\n"):
        (tmp_path / "gt.txt").write_text(row)
        found.append(open_truth(str(tmp_path / "gt.txt"), videos=["film.mp4"]).digest)
    for label in (1, 2):
        folder = write_labels(tmp_path / "labels", {0: np.full(SIZE, label, np.uint8)})
        found.append(open_truth(folder, videos=["film.mp4"]).digest)
    assert len(set(found)) == 4
    assert found[-1] == open_truth(folder, videos=["film.mp4"]).digest


def test_truth_is_of_one_video():
    with pytest.raises(ValueError, match=r"gt\.txt is the truth of one video, and 2 are given"):
        open_truth("gt.txt", videos=["a.mp4", "b.mp4"])


def write_labels(folder, labels):
    folder.mkdir(exist_ok=True)
    for number, each in labels.items():
        cv2.imwrite(str(folder / f"{number:03}.png"), each)
    return str(folder)


def test_label_images_are_compared_pixel_by_pixel_and_255_does_not_count(tmp_path):
    there = np.zeros(SIZE, np.uint8)
    there[:, 32:] = 2
    there[:8] = 255
    truth = open_truth(write_labels(tmp_path / "labels", {5: there}), videos=["film.mp4"])
    assert (truth.covers(5), truth.covers(4)) == (True, False)
    answer = np.zeros((24, 32), np.int32)  # half the size
    answer[:, 24:] = 2
    record = truth.record(shot(drifting(6)), 5, {"label_map": answer}, (24, 32))
    assert truth.total([record]) == pytest.approx((32 / 48 + 16 / 32) / 2)


def test_where_the_frame_does_not_reach_nothing_is_compared(tmp_path):
    truth = open_truth(write_labels(tmp_path / "labels", {0: np.ones(SIZE, np.uint8)}), videos=["film.mp4"])
    cropped = replace(shot(drifting(2)), where=(16.0, 0.0, 48.0, 48.0))
    record = truth.record(cropped, 0, {"label_map": np.ones((48, 32), np.int32)}, (48, 32))
    assert truth.total([record]) == 1


@pytest.mark.parametrize(
    ("labels", "answer", "told"),
    [
        (np.zeros((*SIZE, 3), np.uint8), {"label_map": np.zeros(SIZE)}, "has colours"),
        (np.zeros((10, 10), np.uint8), {"label_map": np.zeros(SIZE)}, "10×10 there, and 48×64"),
        (np.zeros(SIZE, np.uint8), {"map": np.zeros(SIZE)}, "name a decoder of labels"),
    ],
)
def test_label_images_that_do_not_fit_are_refused_by_name(tmp_path, labels, answer, told):
    truth = open_truth(write_labels(tmp_path / "labels", {0: labels}), videos=["film.mp4"])
    with pytest.raises(ValueError, match=told):
        truth.record(shot(drifting(2)), 0, answer, SIZE)


def test_a_folder_without_label_images_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"holds no \.png; expected grey pictures"):
        open_truth(str(tmp_path), videos=["film.mp4"])


def test_truth_of_frames_that_are_not_compared_is_said_before_anything_is_tried(case, tmp_path):
    truth = LabelTruth("labels", {1000: tmp_path / "none.png"})
    with pytest.raises(ValueError, match="labels says nothing of the frames that ways are compared on"):
        accelerate(replace(case, truth=truth), tmp_path / "runner", budget=Budget(20))
