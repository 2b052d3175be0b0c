"""Videos of one's own with fixed parts, or with a file of boxes for the part that is tested on."""

import numpy as np
import pytest
from preparation.small_videos import drifting, write_video
from preparation.test_video import extract, lengths, write_shots

from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Manifest
from deltadistill.pipeline import params as parameters
from deltadistill.pipeline.dataset_kinds import make_dataset
from deltadistill.pipeline.params.videos import Video
from deltadistill.preparation.division import Division
from deltadistill.preparation.extraction import Reading, Window, window_of
from deltadistill.preparation.video import BoxesOf

RANGES = {"train": (0, 6), "tune": (6, 9), "test": (11, 15)}
MOT = """\
3,1,0,0,10,10,1
12,7,12,6,24,12,1
12,8,40,0,20,24,1
13,7,14,6,24,12,1
14,9,-9,-9,8,8,1
15,9,0,0,48,24,0
"""


@pytest.fixture
def ride(tmp_path):
    write_shots(tmp_path / "ride", [16])
    (tmp_path / "gt.txt").write_text(MOT)
    return tmp_path


def opened(manifest, folder):
    manifest.write(folder / "manifest.csv")
    return FrameStore(Manifest.read(folder / "manifest.csv"))


def test_ranges_of_numbers_say_which_frames_are_in_which_split(ride):
    manifest = extract([ride / "ride"], ride / "out", ranges=RANGES)
    assert lengths(manifest, "train") == {"ride_shot_00_train": 6}
    assert lengths(manifest, "tune") == {"ride_shot_00_tune": 3}
    assert [frame.image.name for frame in manifest.clips("test")["ride_shot_00_test"]] == [
        f"{number:06d}.png" for number in range(11, 15)
    ]
    assert len(list((ride / "out/frames").rglob("*.png"))) == 13  # those of no split are not kept


def test_ranges_count_frames_over_scene_cuts(tmp_path):
    write_shots(tmp_path / "ride", [9, 7])
    manifest = extract([tmp_path / "ride"], tmp_path / "out", ranges=RANGES)
    assert lengths(manifest, "train") == {"ride_shot_00_train": 6}
    assert lengths(manifest, "test") == {"ride_shot_01_test": 4}


def test_a_range_without_enough_frames_in_a_shot_is_refused(ride):
    with pytest.raises(ValueError, match=r"split tune has no 3 frames \(min_frames\).* parts of \[2\]"):
        extract([ride / "ride"], ride / "out", ranges=RANGES | {"tune": (6, 8)})


def test_every_shot_gives_its_first_frames_to_learn_from_and_its_last_to_be_tested_on(tmp_path, caplog):
    write_shots(tmp_path / "ride", [10, 20, 6])
    division = Division(0.5, 0.2, 2)
    manifest = extract([tmp_path / "ride"], tmp_path / "out", division=division, each_shot=True)
    assert list(lengths(manifest, "train").values()) == [5, 10, 3]
    assert list(lengths(manifest, "tune").values()) == [2, 4]  # 3 to 4.2 of the third: one frame
    assert list(lengths(manifest, "test").values()) == [3, 6, 2]
    assert "ride_shot_02_tune has 1 frames, fewer than 2; left out" in caplog.text


def test_boxes_of_a_file_are_those_of_the_test_split_alone(ride):
    manifest = extract([ride / "ride"], ride / "out", ranges=RANGES, truth=BoxesOf(ride / "gt.txt", "person"))
    store = opened(manifest, ride / "out")
    assert store.manifest.info.task == "detection"
    assert store.classes == ("person",)
    assert store.manifest.counts()["labelled"] == {"train": 0, "tune": 0, "test": 4}
    first, second, third, fourth = manifest.clips("test")["ride_shot_00_test"]
    # frame 12 of the file is number 11; 48×24 pixels are shown as 32×16, so that two thirds are left
    assert np.allclose(store.boxes(first).boxes, [[8, 4, 24, 12], [80 / 3, 0, 32, 16]], atol=1e-3)
    assert store.boxes(first).tracks.tolist() == [7, 8]
    assert np.allclose(store.boxes(second).boxes, [[28 / 3, 4, 76 / 3, 12]], atol=1e-3)
    assert len(store.boxes(third)) == 0  # what lies outside is not there
    assert store.boxes(fourth).crowd.tolist() == [True]  # 0 in the seventh place: not to be counted


def test_boxes_follow_the_window_of_the_picture_that_is_shown(ride):
    manifest = extract(
        [ride / "ride"], ride / "out", size=(24, 24), ranges=RANGES, truth=BoxesOf(ride / "gt.txt", "person")
    )
    store = opened(manifest, ride / "out")
    first = manifest.clips("test")["ride_shot_00_test"][0]
    assert store.boxes(first).boxes.tolist() == [[0, 6, 24, 18]]  # 12 pixels on the left are cut off


def test_a_stretched_picture_is_shown_whole():
    assert window_of((24, 48), (24, 24)) == Window(12, 0, 24, 24)
    assert window_of((24, 48), (24, 24), "stretch") == Window(0, 0, 48, 24)


def test_stretched_boxes_are_scaled_on_each_side(ride):
    manifest = extract(
        [ride / "ride"], ride / "out", size=(24, 24), ranges=RANGES, reading=Reading(fit="stretch"),
        truth=BoxesOf(ride / "gt.txt", "person"),
    )  # fmt: skip
    store = opened(manifest, ride / "out")
    first = manifest.clips("test")["ride_shot_00_test"][0]
    assert store.boxes(first).boxes.tolist() == [[6, 6, 18, 18], [20, 0, 24, 24]]
    assert store.image(first).shape == (3, 24, 24)


def test_the_truth_of_another_video_is_refused(ride):
    (ride / "gt.txt").write_text("400,1,0,0,10,10,1\n")
    with pytest.raises(ValueError, match=r"no box in the 4 frames of the split test, but in frames 400 to"):
        extract([ride / "ride"], ride / "out", ranges=RANGES, truth=BoxesOf(ride / "gt.txt", "person"))


def test_ranges_of_several_videos_are_refused(ride):
    write_shots(ride / "other", [16])
    with pytest.raises(ValueError, match="are of one video, got 2"):
        extract([ride / "ride", ride / "other"], ride / "out", ranges=RANGES)


def section(**changes):
    params = parameters.load("params.yaml").prepare_dataset
    video = {**params.video.model_dump(), **changes}
    return params.model_copy(update={"kind": "video", "video": Video.model_validate(video)})


def test_the_parameters_of_a_video_with_boxes_make_its_data_set(tmp_path):
    write_video(tmp_path / "ride.mkv", drifting(16))
    (tmp_path / "gt.txt").write_text(MOT)
    made = make_dataset(
        section(
            paths=[str(tmp_path / "ride.mkv")], height=32, width=32, min_frames=3, fit="stretch",
            frames={"train": [0, 6], "tune": [6, 9], "test": [11, 15]},
            truth={"file": str(tmp_path / "gt.txt"), "name": "person"},
        ),
        tmp_path / "out",
    )  # fmt: skip
    store = opened(made, tmp_path / "out")
    first = made.clips("test")["ride_shot_00_test"][0]
    # 48×64 pixels are shown as 32×32
    assert np.allclose(store.boxes(first).boxes[0], [6, 4, 18, 12], atol=1e-3)


def test_what_is_not_there_is_refused_with_where_it_comes_from(tmp_path):
    write_video(tmp_path / "ride.mkv", drifting(4))
    wanted = section(
        paths=[str(tmp_path / "ride.mkv")],
        truth={"file": "nowhere/gt.txt", "name": "person"},
        where_from="gt.txt: apt-get download some-package",
    )
    with pytest.raises(
        ValueError, match=r"^nowhere/gt\.txt: not there; gt\.txt: apt-get download some-package$"
    ):
        make_dataset(wanted, tmp_path / "out")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"frames": {"train": [0, 6], "tune": [5, 9], "test": [11, 15]}}, "share frames"),
        ({"frames": {"train": [6, 6], "tune": [7, 9], "test": [11, 15]}}, "ends after it begins"),
        ({"truth": {"file": "a", "name": "person"}, "paths": ["a", "b"]}, "truth: of one video"),
        (
            {"frames": {"train": [0, 6], "tune": [6, 9], "test": [11, 15]}, "each_shot": True},
            "set each_shot to false",
        ),
    ],
)
def test_parts_that_cannot_be_meant_are_refused(changes, fault):
    with pytest.raises(ValueError, match=fault):
        section(**changes)
