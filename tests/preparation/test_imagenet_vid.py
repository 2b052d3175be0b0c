import logging

import pytest
from preparation import imagenet_layout as layout

from deltadistill.data.box_files import read_box_file
from deltadistill.data.boxes import NO_TRACK
from deltadistill.data.manifest import Manifest
from deltadistill.preparation.imagenet_vid import read_imagenet_vid


@pytest.fixture
def root(tmp_path):
    return layout.make(tmp_path / "ILSVRC2015")


@pytest.fixture
def read(tmp_path, root):
    def call(**changes):
        options = {
            "kind": "imagenet_vid", "table": layout.TABLE, "size": (32, 32), "train": ["train"], "tune": [],
            "test": ["val"], "stills": ["train"], "tune_every": 3,
        }  # fmt: skip
        (tmp_path / "out").mkdir(exist_ok=True)
        return read_imagenet_vid(root, tmp_path / "out", **options | changes)

    return call


def objects_of(frame, manifest):
    return read_box_file(frame.boxes, [entry.name for entry in manifest.info.classes])[0][frame.index]


def test_snippets_and_stills_become_clips(read, root, caplog):
    with caplog.at_level(logging.INFO):
        manifest = read()
    assert "1 stills show no class of the table" in caplog.text
    assert list(manifest.clips("train")) == ["still_0", "train_0000", "train_0001"]
    assert list(manifest.clips("tune")) == ["train_0002"]
    assert list(manifest.clips("test")) == ["val_0000"]
    assert [len(clip) for clip in manifest.clips("train").values()] == [1, 3, 3]
    image = manifest.clips("train")["train_0001"][2].image
    assert image == root / "Data/VID/train/set_0000/train_0001/000002.JPEG"
    assert (manifest.info.size, manifest.info.fit) == ((32, 32), "letterbox")
    assert [entry.name for entry in manifest.info.classes] == ["car", "person"]


def test_objects_keep_class_track_and_flags(read):
    manifest = read()
    clip = manifest.clips("tune")["train_0002"]
    first, second, third = (objects_of(frame, manifest) for frame in clip)
    assert first.boxes.tolist() == [[0, 2, 6, 8]]
    assert second.boxes.tolist() == [[1, 2, 7, 8], [10, 1, 13, 11]]
    assert (second.classes.tolist(), second.tracks.tolist()) == ([0, 1], [0, 4])
    assert second.generated.tolist() == [False, True]
    assert (first.occluded.tolist(), third.occluded.tolist()) == ([False], [True])


def test_of_a_still_only_classes_of_the_table_count(read):
    manifest = read()
    objects = objects_of(manifest.clips("train")["still_0"][0], manifest)
    assert (objects.classes.tolist(), objects.tracks.tolist()) == ([0], [NO_TRACK])


def test_the_manifest_is_written_and_read(read, tmp_path):
    manifest = read()
    manifest.write(tmp_path / "out" / "manifest.csv")
    assert Manifest.read(tmp_path / "out" / "manifest.csv") == manifest
    assert manifest.counts()["labelled"] == {"train": 7, "tune": 3, "test": 2}


def test_frames_without_objects_are_kept(read, root):
    layout.add_picture(root, "VID", "val/val_0000/000000", [], (20, 24))
    manifest = read()
    assert len(objects_of(manifest.clips("test")["val_0000"][0], manifest)) == 0


def test_parts_to_tune_on_can_be_named_and_stills_left_out(read, root):
    layout.add_snippet(root, "held", "held_0", frames=2)
    layout.add_list(root, "VID", "held", ["held_0 1"])
    manifest = read(tune=["held"], stills=[])
    assert list(manifest.clips("tune")) == ["held_0"]
    assert list(manifest.clips("train")) == ["train_0000", "train_0001", "train_0002"]


def test_any_number_of_workers_reads_the_same(read):
    counted = []
    assert read(workers=2, progress=counted.append) == read()
    assert sorted(counted) == [1, 2, 3, 3, 3]


def test_everything_wrong_with_the_files_is_named_together(read, root):
    place = "train/set_0000/train_000"
    (root / f"Data/VID/{place}0/000001.JPEG").unlink()
    (root / f"Annotations/VID/{place}0/000002.xml").unlink()
    cut = root / f"Data/VID/{place}1/000000.JPEG"
    cut.write_bytes(cut.read_bytes()[:-20])
    broken = root / f"Annotations/VID/{place}1/000001.xml"
    broken.write_text(broken.read_text()[:80])
    double = [layout.thing((0, 0, 4, 4), track=3), layout.thing((4, 4, 8, 8), track=3)]
    layout.add_picture(root, "VID", f"{place}2/000000", double)
    layout.add_picture(root, "VID", f"{place}2/000001", [layout.thing((0, 0, 21, 4), track=1)])
    layout.add_picture(root, "VID", f"{place}2/000002", [layout.thing((0, 0, 4, 4), synset="n1", track=1)])
    layout.add_picture(root, "VID", "val/val_0000/000001", [])
    with pytest.raises(ValueError, match="ILSVRC2015 has 8 faults") as error:
        read()
    for part in (
        "train_0000/000001.JPEG is missing",
        "train_0000/000002.xml is missing",
        "train_0001/000000.JPEG is truncated",
        "train_0001/000001.xml is broken XML",
        "train_0002/000000.xml: track 3 occurs 2 times",
        "train_0002/000001.xml: box (0, 0, 21, 4) lies outside its image of 12×20",
        "train_0002/000002.xml: n1 is not in the class table",
        "val_0000/000001.JPEG is 12×20; its clip's first frame is 20×24",
    ):
        assert part in str(error.value)


def test_pictures_of_another_size_than_announced_are_named(read, root):
    annotation = root / "Annotations/DET/train/extra/still_0.xml"
    other = annotation.read_text().replace("<width>20<", "<width>9<").replace("<height>12<", "<height>9<")
    annotation.write_text(other.replace(layout.thing((0, 0, 20, 12)), layout.thing((0, 0, 4, 4))))
    with pytest.raises(ValueError, match=r"still_0.JPEG is 12×20; expected 9×9"):
        read()


def test_boxes_outside_can_be_clipped_and_that_is_said(read, root, caplog):
    objects = [layout.thing((-2, 0, 21, 4), track=1), layout.thing((20, 0, 22, 4), track=2)]
    layout.add_picture(root, "VID", "train/set_0000/train_0002/000001", objects)
    with caplog.at_level(logging.WARNING):
        manifest = read(outside="clip")
    found = objects_of(manifest.clips("tune")["train_0002"][1], manifest)
    assert (found.boxes.tolist(), found.tracks.tolist()) == ([[0, 0, 20, 4]], [1])
    assert "2 boxes reached outside their pictures and were clipped" in caplog.text


def test_unsorted_doubled_and_unlisted_frames_are_named(read, root):
    layout.add_list(root, "VID", "val", ["val_0000/000001 1", "val_0000/000000 2", "val_0000/000001 3"])
    with pytest.raises(ValueError, match="has 2 faults") as error:
        read()
    assert "ImageSets/VID/val: val_0000/000000 comes after val_0000/000001" in str(error.value)
    assert "val.txt: val_0000/000001 is listed 2 times" in str(error.value)
    layout.add_list(root, "VID", "val", ["val_0000/000000 1"])
    with pytest.raises(ValueError, match=r"000001.JPEG is not in the list of its part"):
        read()


def test_empty_and_absent_parts_are_named(read, root):
    layout.add_list(root, "VID", "val", [])
    with pytest.raises(ValueError, match="has 2 faults") as error:
        read(stills=["val"])
    assert "the lists of val in" in str(error.value)
    assert "ImageSets/DET/val.txt nor a list val_<number>.txt" in str(error.value)


def test_snippets_that_are_not_there_and_odd_lists_are_named(read, root):
    layout.add_list(root, "VID", "train_3", ["set_0000/train_0009 1", "set_0000/train_0000", "a b c"])
    with pytest.raises(ValueError, match="has 3 faults") as error:
        read()
    assert "train_0009 holds no frame" in str(error.value)
    assert "'set_0000/train_0000' is not a name and a flag" in str(error.value)
    assert "'a b c' is not a name and a flag" in str(error.value)


def test_misnamed_frames_and_clips_of_one_name_are_named(read, root):
    layout.add_picture(root, "VID", "val/val_0000/frame7", [], (20, 24))
    layout.add_picture(root, "DET", "train/train_0000", [layout.thing((0, 0, 4, 4))])
    layout.add_list(root, "DET", "train_9", ["train_0000 1"])
    layout.add_list(root, "VID", "val", ["val_0000 1"])
    with pytest.raises(ValueError, match="has 2 faults") as error:
        read()
    assert "'frame7' is not the name of a frame" in str(error.value)
    assert "two clips are named train_0000" in str(error.value)


def test_one_snippet_cannot_be_trained_and_tuned_on(read, root):
    (root / "ImageSets/VID/train_2.txt").unlink()
    layout.add_list(root, "VID", "train_1", ["set_0000/train_0000 1"])
    with pytest.raises(ValueError, match="1 video to train on, none left to tune on"):
        read()
