"""Folders of frames and label images: what becomes a data set, and every fault that is told."""

import os

import cv2
import numpy as np
import pytest
from PIL import Image

from deltadistill.data.frames import FrameStore
from deltadistill.data.label_table import ClassEntry
from deltadistill.preparation.masks import MaskFolders, natural_key, read_masks

SIZE = (6, 8)
CLASSES = (ClassEntry("lane", (0, 0, 0), (1,)), ClassEntry("cow", (9, 0, 0), (40, 41)))
IDS = np.tile(np.array([1, 40, 41, 255, 1, 1, 1, 1], np.uint8), (SIZE[0], 1))


def add_clip(root, split, clip, names, *, suffix=".png", labelled=None):
    """Frames of one grey each; `labelled` names those with a label image (None: all)."""
    frames, labels = root / split / "frames" / clip, root / split / "labels" / clip
    frames.mkdir(parents=True)
    labels.mkdir(parents=True)
    for number, name in enumerate(names):
        cv2.imwrite(str(frames / f"{name}{suffix}"), np.full((*SIZE, 3), 10 * number, np.uint8))
        if labelled is None or name in labelled:
            cv2.imwrite(str(labels / f"{name}.png"), IDS)


@pytest.fixture
def root(tmp_path):
    """Two clips to train on, one with names whose order is not that of letters, and one to test on."""
    add_clip(tmp_path, "train", "meadow1", ["9", "10", "8"])
    add_clip(tmp_path, "train", "meadow2", ["a1", "a2"], suffix=".jpg")
    add_clip(tmp_path, "test", "road", ["f001", "f002", "f003"])
    return tmp_path


def read(root, **changes):
    def of(split):
        return [MaskFolders(root / split / "frames", root / split / "labels")]

    folders = {"train": of("train"), "tune": [], "test": of("test")}
    return read_masks(folders, **{"kind": "masks", "classes": CLASSES, "tune_every": 2} | changes)


def faults_of(root, **changes):
    with pytest.raises(ValueError, match="the data set of frames and label images has") as error:
        read(root, **changes)
    return str(error.value)


def test_clips_are_folders_and_frames_stand_in_natural_order(root):
    manifest = read(root)
    names = {name: [f.image.name for f in clip] for name, clip in manifest.clips("train").items()}
    assert names == {"meadow1": ["8.png", "9.png", "10.png"]}
    assert [frame.image.name for frame in manifest.clips("tune")["meadow2"]] == ["a1.jpg", "a2.jpg"]
    assert list(manifest.clips("test")) == ["road"]
    assert all(frame.label.stem == frame.image.stem for frame in manifest.frames)
    assert manifest.info.size == SIZE
    assert manifest.info.task == "segmentation"


def test_labels_become_the_classes_of_the_table(root, tmp_path):
    (tmp_path / "out").mkdir()
    manifest = read(root)
    manifest.write(tmp_path / "out" / "manifest.csv")
    store = FrameStore.open(tmp_path / "out")
    frame = store.manifest.clips("test")["road"][1]
    assert store.label(frame)[0].tolist() == [0, 1, 1, 255, 0, 0, 0, 0]
    assert int(store.image(frame)[0, 0, 0]) == 10
    assert store.classes == ("lane", "cow")
    assert frame.origin == "true"


def test_folders_to_tune_on_can_be_named(root):
    add_clip(root, "dusk", "hill", ["1", "2"])
    extra = MaskFolders(root / "dusk" / "frames", root / "dusk" / "labels")
    train, test = (MaskFolders(root / s / "frames", root / s / "labels") for s in ("train", "test"))
    manifest = read_masks({"train": [train], "tune": [extra], "test": [test]}, kind="masks", classes=CLASSES)
    assert list(manifest.clips("tune")) == ["hill"]
    assert list(manifest.clips("train")) == ["meadow1", "meadow2"]


def test_some_frames_may_have_labels_where_that_is_said(root):
    add_clip(root, "train", "meadow3", ["1", "2", "3"], labelled=["2"])
    manifest = read(root, every_frame=False)
    assert [frame.label is not None for frame in manifest.clips("train")["meadow3"]] == [False, True, False]


def test_numbers_in_names_are_in_order_of_their_values():
    names = ["f10", "f9", "f9b", "f", "2", "a2b10", "a2b9", "f009a"]
    assert sorted(names, key=natural_key) == ["2", "a2b9", "a2b10", "f", "f9", "f009a", "f9b", "f10"]


def test_a_missing_label_image_is_named(root):
    (root / "train/labels/meadow1/9.png").unlink()
    assert f"{root}/train/labels/meadow1/9.png, the label image of" in faults_of(root)


def test_a_label_image_without_a_frame_is_named(root):
    (root / "train/frames/meadow1/9.png").unlink()
    assert "labels/meadow1/9.png is the label image of no frame in" in faults_of(root)
    (root / "train/labels/elsewhere").mkdir()
    assert f"{root}/train/labels/elsewhere has labels of no clip" in faults_of(root)


@pytest.mark.parametrize("kind", ["frames", "labels"])
def test_another_size_is_named(root, kind):
    path = root / "test" / kind / "road" / "f002.png"
    cv2.imwrite(str(path), np.ones((6, 9, 3)[: 3 if kind == "frames" else 2], np.uint8))
    text = faults_of(root)
    assert f"{path} is 6×9" in text
    assert "has 1 fault:" in text


def test_label_ids_outside_the_table_are_named(root):
    path = root / "test/labels/road/f002.png"
    cv2.imwrite(str(path), np.where(IDS == 41, 77, np.where(IDS == 255, 0, IDS)).astype(np.uint8))
    assert f"{path} has label ids outside the class table: 0, 77; add them there, or to ignore" in faults_of(
        root
    )
    assert "ids outside the class table: 77;" in faults_of(root, ignore=[0, 255])
    assert read(root, ignore=[0, 77, 255])


@pytest.mark.parametrize("kind", ["frames", "labels"])
def test_truncated_pictures_are_named(root, kind):
    path = root / "test" / kind / "road" / "f002.png"
    path.write_bytes(path.read_bytes()[:-16])
    assert f"{path} is truncated" in faults_of(root)


@pytest.mark.parametrize("kind", ["frames", "labels"])
def test_what_is_no_picture_is_named(root, kind):
    path = root / "test" / kind / "road" / "f001.png"
    path.write_bytes(b"a text")
    assert f"{path} is not a picture" in faults_of(root).replace("truncated: 6 bytes", "")


def test_coloured_label_images_are_named(root):
    path = root / "test/labels/road/f002.png"
    cv2.imwrite(str(path), np.zeros((*SIZE, 3), np.uint8))
    assert f"{path} is no grey 8-bit picture of label ids (uint8, (6, 8, 3))" in faults_of(root)


@pytest.mark.parametrize("twin", ["9.jpg", "009.png"])
def test_a_frame_that_is_there_twice_is_named(root, twin):
    place = root / "train/frames/meadow1"
    cv2.imwrite(str(place / twin), cv2.imread(str(place / "9.png")))
    cv2.imwrite(str(root / "train/labels/meadow1/009.png"), IDS)
    text = faults_of(root)
    assert "stand for the same frame; remove or rename one" in text
    assert "9.png" in text
    assert twin in text


def test_a_folder_that_is_named_twice_is_told(root):
    one, test = (MaskFolders(root / s / "frames", root / s / "labels") for s in ("train", "test"))
    with pytest.raises(ValueError, match="has 2 faults") as error:
        read_masks({"train": [one, one], "tune": [], "test": [test]}, kind="masks", classes=CLASSES)
    assert "2 clips are named meadow1; rename one" in str(error.value)


def test_an_empty_split_is_named(root):
    for path in (root / "test/frames/road").iterdir():
        path.unlink()
    assert f"{root}/test/frames/road holds no pictures (.png, .jpg" in faults_of(root)
    os.rename(root / "test", root / "gone")
    assert f"no folder of a clip in {root}/test/frames (test)" in faults_of(root)


def test_one_clip_cannot_be_trained_and_tuned_on(root):
    os.rename(root / "train/frames/meadow2", root / "meadow2")
    os.rename(root / "train/labels/meadow2", root / "meadow2l")
    assert "1 video to train on, none left to tune on" in faults_of(root)


def test_all_faults_of_a_pass_are_named_together(root):
    (root / "train/labels/meadow1/9.png").unlink()
    (root / "train/frames/meadow2/a2.jpg").write_bytes(b"")
    cv2.imwrite(str(root / "test/labels/road/f001.png"), np.full(SIZE, 3, np.uint8))
    cv2.imwrite(str(root / "test/labels/road/f003.png"), np.ones((3, 3), np.uint8))
    text = faults_of(root)
    assert "has 4 faults" in text
    for part in (
        "meadow1/9.png, the label image of",
        "a2.jpg is not a picture",
        "ids outside",
        "f003.png is 3×3",
    ):
        assert part in text


def test_what_other_systems_leave_beside_pictures_is_no_frame(root):
    for name in ("._f001.png", ".DS_Store"):
        (root / "test/frames/road" / name).write_bytes(b"\0\5\26\7")
        (root / "test/labels/road" / name).write_bytes(b"\0\5\26\7")
    assert len(read(root).clips("test")["road"]) == 3


def test_pictures_of_formats_that_are_not_read_and_animations_are_called_that(root):
    os.rename(root / "test/frames/road/f002.png", root / "test/frames/road/f002.PPM")
    frames = [Image.fromarray(np.full((*SIZE, 3), 99 * step, np.uint8)) for step in range(2)]
    (root / "train/frames/meadow2/a1.jpg").unlink()
    frames[0].save(root / "train/frames/meadow2/a1.webp", save_all=True, append_images=frames[1:], duration=9)
    text = faults_of(root)
    assert "road/f002.PPM: pictures in .ppm are not read; convert them to PNG" in text
    assert "meadow2/a1.webp is an animation of several pictures" in text


def test_progress_counts_every_frame(root):
    seen = []
    read(root, workers=2, progress=seen.append)
    assert sum(seen) == 8
