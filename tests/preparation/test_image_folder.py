"""Folders of classes: stills and clips become frames with the number of their class."""

import numpy as np
import pytest

from deltadistill.preparation.encoded_picture import write_picture
from deltadistill.preparation.image_folder import read_image_folder
from deltadistill.preparation.moving_shapes import SHAPES, Clips, write_shapes


def draw(path, *, size=(16, 24)):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_picture(path, np.full((*size, 3), 100, np.uint8))


@pytest.fixture
def root(tmp_path):
    """Two classes, of stills and of clips, to train on, and one clip to test on."""
    for number in range(4):
        draw(tmp_path / f"train/cat/still_{number}.png", size=(16 + number, 24))
    for clip in ("one", "two"):
        for frame in range(9, 12):
            draw(tmp_path / f"train/ant/{clip}/{frame}.jpg")
    draw(tmp_path / "val/ant/walk/0.png")
    draw(tmp_path / "val/ant/walk/1.png")
    return tmp_path


def read(root, **changes):
    folders = {"train": ["train"], "tune": [], "test": ["val"], "tune_every": 2}
    return read_image_folder(root, kind="imagefolder", size=(16, 16), **folders | changes)


def test_classes_are_the_folders_to_train_on_in_order_and_frames_have_their_number(root):
    manifest = read(root)
    assert [entry.name for entry in manifest.info.classes] == ["ant", "cat"]
    assert (manifest.info.task, manifest.info.annotation, manifest.info.fit) == (
        "classification",
        "targets",
        "letterbox",
    )
    assert {(f.clip.split("/")[1], f.target) for f in manifest.frames} == {("ant", 0.0), ("cat", 1.0)}
    walk = manifest.clips("test")["val/ant/walk"]
    assert [frame.image.name for frame in walk] == ["0.png", "1.png"]


def test_frames_of_a_clip_are_in_order_of_their_numbers(root):
    clips = read(root).clips("train") | read(root).clips("tune")
    assert [frame.image.name for frame in clips["train/ant/one"]] == ["9.jpg", "10.jpg", "11.jpg"]


def test_some_of_each_class_are_tuned_on_where_nothing_else_is_named(root):
    manifest = read(root)
    assert set(manifest.clips("tune")) == {"train/ant/two", "train/cat/still_1", "train/cat/still_3"}
    assert set(manifest.clips("train")) == {"train/ant/one", "train/cat/still_0", "train/cat/still_2"}


def test_what_is_wrong_is_named_all_at_once(root):
    draw(root / "val/dog/0.png")
    (root / "train/bee").mkdir()
    (root / "train/cat/still_9.gif").touch()
    (root / "train/cat/still_0.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="fault") as error:
        read(root, test=["val", "nowhere"])
    told = str(error.value)
    assert "class dog is in no train split (train)" in told
    assert "bee holds no pictures" in told
    assert "still_9.gif: pictures in .gif are not read" in told
    assert "still_0.png is truncated" in told or "still_0.png is not a picture" in told
    assert "nowhere holds no folder of a class (test)" in told


def test_generated_shapes_are_a_function_of_the_seed_and_move(tmp_path):
    look = Clips(frames=3, height=32, width=40, noise=0.0, seed=1)
    for name in ("a", "b"):
        write_shapes(tmp_path / name, {"train": 1, "tune": 1, "test": 1}, look, progress=lambda frames: None)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.png"))
    assert len(files) == 3 * len(SHAPES) * 3
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files)
    assert len({(tmp_path / "a" / f).read_bytes() for f in files}) == len(files)
    manifest = read(tmp_path / "a", tune=["tune"], test=["test"])
    assert [entry.name for entry in manifest.info.classes] == list(SHAPES)
