"""The layout of DAVIS: a generated video written in it becomes a data set, and what is wrong is told."""

from itertools import islice

import cv2
import numpy as np
import pytest

from deltadistill.metrics.davis import region_similarity
from deltadistill.preparation.davis import read_davis
from deltadistill.preparation.street.long_clip import Course, render_long
from deltadistill.preparation.street.scene_parts import ROAD

SPLIT = {"train": ["train"], "test": ["val"], "tune_every": 2}


@pytest.fixture
def root(tmp_path):
    """Clips of generated streets whose object is the road: two to train on, one to test on, one unlisted."""
    for number, clip in enumerate(("bear", "camel", "dog", "unlisted")):
        frames, masks = (tmp_path / top / "480p" / clip for top in ("JPEGImages", "Annotations"))
        frames.mkdir(parents=True)
        masks.mkdir(parents=True)
        video = render_long((0, 2, number), Course("walking"), height=32, width=64, noise=0.0)
        for index, frame in enumerate(islice(video, 3)):
            cv2.imwrite(str(frames / f"{index:05d}.jpg"), frame.image[..., ::-1])
            cv2.imwrite(str(masks / f"{index:05d}.png"), 255 * (frame.label_ids == ROAD).astype(np.uint8))
    lists = tmp_path / "ImageSets" / "480p"
    lists.mkdir(parents=True)
    pairs = [
        f"/JPEGImages/480p/{clip}/{index:05d}.jpg /Annotations/480p/{clip}/{index:05d}.png"
        for clip in ("bear", "camel")
        for index in range(3)
    ]
    (lists / "train.txt").write_text("\n".join(pairs) + "\n")
    (lists / "val.txt").write_text("dog\n")
    return tmp_path


def faults_of(root, **changes):
    with pytest.raises(ValueError, match=r"zebra|val|list|00001") as error:
        read_davis(root, **SPLIT | changes)
    return str(error.value)


def test_a_generated_video_in_this_layout_becomes_a_data_set(root):
    manifest = read_davis(root, **SPLIT)
    assert {split: list(manifest.clips(split)) for split in ("train", "tune", "test")} == {
        "train": ["bear"],
        "tune": ["camel"],
        "test": ["dog"],
    }
    assert [info.name for info in manifest.info.classes] == ["background", "object"]
    assert manifest.info.size == (32, 64)
    frame = manifest.clips("test")["dog"][1]
    mask = cv2.imread(str(frame.label), cv2.IMREAD_UNCHANGED) == 255
    (_, rendered, *_) = islice(render_long((0, 2, 2), Course("walking"), height=32, width=64, noise=0.0), 2)
    assert region_similarity(mask, rendered.label_ids == ROAD) == 1


def test_what_is_missing_or_no_clip_is_told(root):
    lists = root / "ImageSets" / "480p"
    (lists / "val.txt").write_text("dog\nzebra\n")
    assert "zebra, a clip that a list names, is missing" in faults_of(root)
    (lists / "val.txt").write_text("JPEGImages/480p\n")
    assert "val.txt, line 1: neither a clip nor a frame of one" in faults_of(root)
    (lists / "val.txt").write_text("\n")
    assert "val.txt names no clip" in faults_of(root)
    assert "no list" in faults_of(root, test=["test"])


def test_a_mask_of_another_value_is_refused(root):
    path = root / "Annotations" / "480p" / "dog" / "00001.png"
    cv2.imwrite(str(path), np.full((32, 64), 7, np.uint8))
    assert "00001.png" in faults_of(root)
