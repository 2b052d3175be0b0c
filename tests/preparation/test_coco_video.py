import json
import logging

import cv2
import numpy as np
import pytest
from preparation import imagenet_layout
from pycocotools.coco import COCO

from deltadistill.data.box_files import read_box_file
from deltadistill.data.boxes import NO_TRACK
from deltadistill.data.manifest import Manifest
from deltadistill.preparation.coco_video import CocoFile, read_coco_video
from deltadistill.preparation.coco_video_file import write_coco_video
from deltadistill.preparation.imagenet_vid import read_imagenet_vid


def objects_of(frame, manifest):
    return read_box_file(frame.boxes, [entry.name for entry in manifest.info.classes])[0][frame.index]


@pytest.fixture
def imagenet(tmp_path):
    """The manifest of a tiny ImageNet VID, written to <tmp_path>/vid."""
    root = imagenet_layout.make(tmp_path / "vid" / "ILSVRC2015")
    manifest = read_imagenet_vid(
        root, tmp_path / "vid", kind="imagenet_vid", table=imagenet_layout.TABLE, size=(32, 32),
        train=["train"], tune=[], test=["val"], stills=["train"], tune_every=3,
    )  # fmt: skip
    manifest.write(tmp_path / "vid" / "manifest.csv")
    return manifest


def picture(folder, name, size=(12, 20)):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / name), np.zeros((*size, 3), np.uint8))


def content(video, *, frames=3):
    """One video whose frames all hold a dog (category 7) that is track 5."""
    return {
        "videos": [{"id": 4, "name": video}],
        "categories": [{"id": 9, "name": "cat"}, {"id": 7, "name": "dog"}],
        "images": [
            {
                "id": i,
                "file_name": f"{video}/{i}.png",
                "height": 12,
                "width": 20,
                "video_id": 4,
                "frame_id": i,
            }
            for i in range(frames)
        ],
        "annotations": [
            {"id": i + 1, "image_id": i, "category_id": 7, "bbox": [i, 1, 4, 5], "track_id": 5}
            for i in range(frames)
        ],
    }


@pytest.fixture
def own(tmp_path):
    """Splits' contents to change, and a function that reads them."""
    parts = {split: content(f"{split}/ride") for split in ("train", "tune", "test")}
    for split in parts:
        for index in range(3):
            picture(tmp_path / "pictures", f"{split}/ride/{index}.png")

    def read(**options):
        files = {}
        for split, part in parts.items():
            (tmp_path / f"{split}.json").write_text(json.dumps(part))
            files[split] = [CocoFile(tmp_path / f"{split}.json", tmp_path / "pictures")]
        (tmp_path / "out").mkdir(exist_ok=True)
        return read_coco_video(files, tmp_path / "out", kind="coco_video", size=(16, 16), **options)

    return parts, read


def test_own_videos_are_read(own, tmp_path):
    manifest = own[1]()
    assert {split: list(manifest.clips(split)) for split in ("train", "test")} == {
        "train": ["train-ride"],
        "test": ["test-ride"],
    }
    assert [entry.name for entry in manifest.info.classes] == ["dog", "cat"]  # in order of the ids
    objects = objects_of(manifest.clips("test")["test-ride"][2], manifest)
    assert objects.boxes.tolist() == [[2, 1, 6, 6]]
    assert (objects.classes.tolist(), objects.tracks.tolist()) == ([0], [5])
    manifest.write(tmp_path / "out" / "manifest.csv")
    assert Manifest.read(tmp_path / "out" / "manifest.csv") == manifest


def test_instances_stills_and_flags_are_read(own, tmp_path):
    parts, read = own
    first, second, third = parts["train"]["annotations"]
    first["instance_id"] = first.pop("track_id")
    second |= {"iscrowd": 1, "occluded": True}
    third |= {"image_id": 77, "generated": True}
    del third["track_id"]
    parts["train"]["images"].append({"id": 77, "file_name": "still/a.png", "height": 12, "width": 20})
    picture(tmp_path / "pictures", "still/a.png")
    manifest = read()
    assert list(manifest.clips("train")) == ["still-a", "train-ride"]
    still = objects_of(manifest.clips("train")["still-a"][0], manifest)
    assert (still.tracks.tolist(), still.generated.tolist()) == ([NO_TRACK], [True])
    ride = [objects_of(frame, manifest) for frame in manifest.clips("train")["train-ride"]]
    assert (ride[0].tracks[0], ride[1].crowd[0], ride[1].occluded[0], len(ride[2])) == (5, True, True, 0)


def test_imagenet_written_as_json_is_what_pycocotools_loads(imagenet, tmp_path, capsys):
    paths = write_coco_video(imagenet, tmp_path / "vid" / "annotations")
    assert [path.name for path in paths] == ["train.json", "train_stills.json", "tune.json", "test.json"]
    coco = COCO(str(paths[2]))
    capsys.readouterr()  # it prints
    assert {entry["id"]: entry["name"] for entry in coco.loadCats(coco.getCatIds())} == {
        1: "car",
        2: "person",
    }
    (clip,) = imagenet.clips("tune").values()
    assert coco.getImgIds() == [1, 2, 3]
    for image, frame in zip(coco.loadImgs([1, 2, 3]), clip, strict=True):
        assert tmp_path / "vid" / image["file_name"] == frame.image
        assert (image["height"], image["width"], image["video_id"]) == (12, 20, 1)
        assert (image["frame_id"], image["is_vid_train_frame"]) == (frame.index, True)
        objects = objects_of(frame, imagenet)
        entries = coco.loadAnns(coco.getAnnIds(imgIds=image["id"]))
        assert [entry["category_id"] - 1 for entry in entries] == objects.classes.tolist()
        assert [entry["track_id"] for entry in entries] == objects.tracks.tolist()
        corners = [(x, y, x + w, y + h) for x, y, w, h in (entry["bbox"] for entry in entries)]
        assert corners == [tuple(box) for box in objects.boxes.tolist()]
        assert [entry["area"] for entry in entries] == [36, 30][: len(entries)]
    people = coco.getAnnIds(catIds=[2])
    assert [(entry["instance_id"], entry["generated"]) for entry in coco.loadAnns(people)] == [(2, True)]


def test_stills_stand_in_a_file_of_their_own(imagenet, tmp_path):
    write_coco_video(imagenet, tmp_path / "vid" / "annotations")
    stills = json.loads((tmp_path / "vid" / "annotations" / "train_stills.json").read_text())
    assert stills["videos"] == []
    assert "video_id" not in stills["images"][0]
    assert stills["annotations"][0].keys() & {"track_id", "instance_id", "video_id"} == set()
    test = json.loads((tmp_path / "vid" / "annotations" / "test.json").read_text())
    assert not any(image["is_vid_train_frame"] for image in test["images"])


def test_what_was_written_reads_back(imagenet, tmp_path):
    folder = tmp_path / "vid"
    write_coco_video(imagenet, folder / "annotations")

    def files(*names):
        return [CocoFile(folder / "annotations" / f"{name}.json", folder) for name in names]

    (tmp_path / "out").mkdir()
    again = read_coco_video(
        {"train": files("train", "train_stills"), "tune": files("tune"), "test": files("test")},
        tmp_path / "out", kind="coco_video", size=(32, 32),
    )  # fmt: skip
    assert {frame.image for frame in again.frames} == {frame.image for frame in imagenet.frames}
    first = {frame.image: objects_of(frame, imagenet) for frame in imagenet.frames}
    for frame in again.frames:
        objects = objects_of(frame, again)
        for name in objects.__dataclass_fields__:
            assert np.array_equal(getattr(objects, name), getattr(first[frame.image], name)), name


def test_every_nth_video_is_tuned_on(own):
    parts, read = own
    parts["train"]["videos"].append({"id": 5, "name": "tune/ride"})
    for image in parts.pop("tune")["images"]:
        parts["train"]["images"].append(image | {"id": 10 + image["id"], "video_id": 5})
    manifest = read(tune_every=2)
    assert list(manifest.clips("tune")) == ["tune-ride"]


def test_everything_wrong_is_named_together(own, tmp_path):
    parts, read = own
    images, annotations = parts["train"]["images"], parts["train"]["annotations"]
    images[2]["frame_id"] = 1
    annotations[0]["category_id"] = 3
    annotations[1]["bbox"] = [18, 0, 3, 4]
    annotations.append({"id": 2, "image_id": 1, "category_id": 7, "bbox": [0, 0, 3], "track_id": 6})
    annotations.append({"id": 9, "image_id": 99, "category_id": 7, "bbox": [0, 0, 3, 3]})
    parts["tune"]["images"][1]["video_id"] = 8
    parts["tune"]["annotations"].append(parts["tune"]["annotations"][0] | {"id": 50})
    picture(tmp_path / "pictures", "test/ride/1.png", (13, 20))
    (tmp_path / "pictures/test/ride/2.png").unlink()
    parts["test"]["images"][0]["height"] = 13
    with pytest.raises(ValueError, match="COCO video JSON has") as error:
        read()
    text = str(error.value)
    for part in (
        "train.json: video train/ride: frame 1 comes after frame 1; expected 2",
        "image 0 (train/ride/0.png): annotation 1: category 3 is not among the categories",
        "annotations: id 2 occurs 2 times",
        "annotations of image 99, which is not there",
        "tune.json: images of video 8, which is not there",
        "tune.json: video tune/ride: frame 2 comes after frame 0; expected 1",
        "image 0 (tune/ride/0.png): track 5 occurs 2 times",
        "1.png: its size is not that of its video's first image, 13×20",
        "test/ride/0.png is 12×20; expected 13×20",
    ):
        assert part in text


def test_a_picture_stands_for_one_frame_of_one_split(own):
    parts, read = own
    parts["train"]["images"][2]["file_name"] = "train/ride/0.png"
    parts["test"]["images"][0]["file_name"] = "tune/ride/0.png"
    with pytest.raises(ValueError, match="has 2 faults") as error:
        read()
    assert "pictures/train/ride/0.png stands for 2 frames" in str(error.value)
    assert "pictures/tune/ride/0.png stands for 2 frames" in str(error.value)


def test_malformed_annotations_are_named(own):
    parts, read = own
    first, second, third = parts["train"]["annotations"]
    first["bbox"] = [0, 0, 3]
    second["track_id"] = "five"
    third["bbox"] = [0, 0, 0, 4]
    with pytest.raises(ValueError, match="has 3 faults") as error:
        read()
    assert "annotation 1: bbox [0, 0, 3] is not [x, y, width, height]" in str(error.value)
    assert "annotation 2: track 'five' is not a whole number" in str(error.value)
    assert "box (0, 0, 0, 4) has no area" in str(error.value)


def test_boxes_outside_are_refused_or_clipped(own, caplog):
    parts, read = own
    parts["test"]["annotations"][0]["bbox"] = [18, 0, 3, 4]
    with pytest.raises(ValueError, match=r"box \(18, 0, 21, 4\) lies outside its image of 12×20"):
        read()
    with caplog.at_level(logging.WARNING):
        manifest = read(outside="clip")
    assert objects_of(manifest.clips("test")["test-ride"][0], manifest).boxes.tolist() == [[18, 0, 20, 4]]
    assert "1 boxes reached outside" in caplog.text


def test_truncated_and_missing_pictures_are_named(own, tmp_path):
    path = tmp_path / "pictures/test/ride/1.png"
    path.write_bytes(path.read_bytes()[:-10])
    (tmp_path / "pictures/test/ride/2.png").unlink()
    with pytest.raises(ValueError, match="has 2 faults") as error:
        own[1]()
    assert "1.png is truncated" in str(error.value)
    assert "2.png is missing" in str(error.value)


def test_files_of_another_form_are_refused(own, tmp_path):
    parts, read = own
    parts["train"] = []
    del parts["tune"]["images"]
    del parts["test"]["annotations"][0]["bbox"]
    with pytest.raises(ValueError, match="has 3 faults") as error:
        read()
    assert "train.json is not COCO-style JSON" in str(error.value)
    assert "tune.json has no 'images'" in str(error.value)
    assert "test.json: annotations: an entry has no bbox" in str(error.value)
    files = {"train": [CocoFile(tmp_path / "none.json", tmp_path)]}
    with pytest.raises(ValueError, match=r"none.json cannot be read: No such file"):
        read_coco_video(files, tmp_path, kind="coco_video", size=(8, 8))


def test_files_must_agree_on_their_categories(own):
    parts, read = own
    parts["test"]["categories"][0]["name"] = "lion"
    with pytest.raises(ValueError, match=r"test.json: categories differ from .*train.json's"):
        read()
