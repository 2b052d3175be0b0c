import hashlib
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from deltadistill.data.box_files import read_box_file
from deltadistill.data.label_table import label_ids_to_classes, table
from deltadistill.preparation.class_table import read_class_table
from deltadistill.preparation.ilsvrc_xml import read_annotation
from deltadistill.preparation.imagenet_vid import read_imagenet_vid
from deltadistill.preparation.street.clip import BOX_CLASSES, render_clip
from deltadistill.preparation.street.detection_dataset import SYNSETS, Look, write_street_detection

CLASS_TABLE = read_class_table(Path(__file__).parents[2] / "class_tables" / "street_boxes.csv")
LOOK = Look(height=48, width=96, noise=0.02, seed=5, smallest=5, visible=0.3)
CLIPS = {"train": 2, "tune": 1, "val": 1, "stills": 6}


@lru_cache(maxsize=4)
def rendered(number):
    return tuple(render_clip((0, 2, number), frames=6, height=96, width=192, noise=0.0, things=True))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("street")
    write_street_detection(folder, CLIPS, frames=3, look=LOOK, workers=1)
    return folder


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_asking_for_things_changes_nothing_else():
    plain = render_clip((0, 2, 0), frames=6, height=96, width=192, noise=0.0)
    for one, other in zip(plain, rendered(0), strict=True):
        assert np.array_equal(one.image, other.image)
        assert one.boxes == other.boxes
        assert (one.things, len(other.things) > 0) == ((), True)


@pytest.mark.parametrize("number", range(3))
def test_things_are_the_boxes_and_the_trees(number):
    for frame in rendered(number):
        boxes = {entry["id"] - 1: (entry["class"], tuple(entry["box"])) for entry in frame.boxes}
        of_things = {
            thing.number: (BOX_CLASSES[thing.kind], thing.box)
            for thing in frame.things
            if thing.kind != "tree"
        }
        assert of_things == boxes


@pytest.mark.parametrize("number", range(3))
def test_visible_pixels_carry_the_label_of_their_thing(number):
    lookup = label_ids_to_classes(table("street_8"))
    names = [entry.name for entry in table("street_8")]
    for frame in rendered(number):
        labels = lookup.take(frame.label_ids)
        for kind in ("car", "person"):
            pixels = sum(thing.pixels for thing in frame.things if thing.kind == kind)
            assert pixels == (labels == names.index(kind)).sum()


def test_what_stands_before_a_thing_hides_its_share():
    seen = [thing for number in range(3) for frame in rendered(number) for thing in frame.things]
    assert all(0 < thing.visible <= 1 for thing in seen)
    assert any(thing.visible == 1 for thing in seen)
    assert any(thing.visible < 0.5 for thing in seen)


def test_any_number_of_workers_writes_the_same_files(root, tmp_path):
    counted = []
    write_street_detection(tmp_path, CLIPS, frames=3, look=LOOK, workers=2, progress=counted.append)
    assert digests(tmp_path) == digests(root)
    assert counted == [3, 3, 3, 3, 1, 1, 1, 1, 1, 1]


def test_pictures_and_annotations_are_those_of_the_clip(root):
    key = (5, 2, 0)
    frames = list(render_clip(key, frames=3, height=48, width=96, noise=0.02, things=True))
    place = "VID/val/street_val_00000000/000002"
    image = cv2.imread(str(root / "Data" / f"{place}.JPEG"))[..., ::-1]
    apart = [np.abs(image.astype(int) - frame.image).mean() for frame in frames]
    assert apart[2] == min(apart)
    assert apart[2] < 8  # JPEG thins out colour noise
    size, objects = read_annotation(root / "Annotations" / f"{place}.xml")
    assert size == (48, 96)
    expected = [
        thing for thing in frames[2].things if thing.kind != "tree" and thing.visible >= 0.3
        and min(thing.box[2] - thing.box[0], thing.box[3] - thing.box[1]) >= 5
    ]  # fmt: skip
    assert len(expected) < sum(thing.kind != "tree" for thing in frames[2].things)
    assert expected
    assert [item.track for item in objects] == [thing.number for thing in expected]
    assert [item.synset for item in objects] == [SYNSETS[thing.kind] for thing in expected]
    assert [item.box for item in objects] == [thing.box for thing in expected]
    assert [item.occluded for item in objects] == [thing.visible < 0.8 for thing in expected]


def test_the_reader_of_imagenet_reads_it(root, tmp_path):
    manifest = read_imagenet_vid(
        root, tmp_path, kind="generated_detection", table=CLASS_TABLE, size=(48, 96),
        train=["train"], tune=["tune"], test=["val"], stills=["train"],
    )  # fmt: skip
    manifest.write(tmp_path / "manifest.csv")
    clips = manifest.clips("train")
    assert [name for name, clip in clips.items() if len(clip) == 3] == [
        "street_train_00000000",
        "street_train_00000001",
    ]
    assert any(len(clip) == 1 for clip in clips.values())
    assert (len(manifest.clips("tune")), len(manifest.clips("test"))) == (1, 1)
    names = [entry.name for entry in CLASS_TABLE.values()]
    frames, _ = read_box_file(clips["street_train_00000000"][0].boxes, names)
    lasting = set(frames[0].tracks.tolist()) & set(frames[2].tracks.tolist())
    assert lasting


def test_only_stills_show_the_class_outside_the_table(root):
    def kinds(folder):
        paths = (root / "Annotations" / folder).rglob("*.xml")
        return {item.synset for path in paths for item in read_annotation(path)[1]}

    assert SYNSETS["tree"] in kinds("DET")
    assert kinds("VID") <= CLASS_TABLE.keys()
    assert (root / "ImageSets/DET/train_5.txt").is_file()
    assert not (root / "ImageSets/VID/train_5.txt").is_file()
