"""Where a sequence may not go on: frames that were lost, and steps in time far above the usual one."""

import json
import logging
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from preparation.small_videos import damage, drifting, turn, write_streams, write_video

from deltadistill.data.manifest import Manifest
from deltadistill.preparation.clip_gaps import long_steps, pieces
from deltadistill.preparation.division import Division
from deltadistill.preparation.extraction import Reading
from deltadistill.preparation.video import extract_videos

SPLITS = ("train", "tune", "test")


def extract(names, folder, size=(24, 32), **options):
    folder.mkdir()
    made = extract_videos(
        list(map(str, names)), folder, size=size, division=Division(0.5, 0.2, 4), scene_cut_threshold=1.0,
        reading=Reading(**options),
    )  # fmt: skip
    made.write(folder / "manifest.csv")
    assert Manifest.read(folder / "manifest.csv") == made
    return made


def clips(manifest):
    found = {name: frames for split in SPLITS for name, frames in manifest.clips(split).items()}
    return {name: found[name] for name in sorted(found)}


def steps(frames):
    return {round(100 * (b.seconds - a.seconds)) for a, b in pairwise(frames)}


def paths(count):
    return [Path(f"{number}.png") for number in range(count)]


def test_a_step_above_the_multiple_of_the_median_is_a_gap_and_one_of_just_it_is_not():
    times = dict(zip(paths(6), [0, 1, 2, 6, 7, 12], strict=True))
    assert long_steps(times, 4.0) == {Path("5.png"): 5}
    assert long_steps(times, 3.0) == {Path("3.png"): 4, Path("5.png"): 5}
    assert long_steps(times, None) == long_steps({}, 4.0) == long_steps({Path("a"): 1.0}, 4.0) == {}


def test_a_shot_is_cut_before_each_gap():
    shot = paths(5)
    cut = pieces(shot, {shot[0], shot[2], shot[4], Path("elsewhere.png")})
    assert cut == [shot[:2], shot[2:4], shot[4:]]
    assert pieces(shot, ()) == [shot]


@pytest.fixture
def gappy(tmp_path):
    """30 frames, of which the last 12 come two seconds after the others."""
    times = [*range(18), *range(68, 80)]
    return write_video(tmp_path / "ride.mkv", drifting(30), times=times)


def test_a_gap_of_two_seconds_begins_a_new_clip(tmp_path, gappy, caplog):
    with caplog.at_level(logging.WARNING):
        made = extract([gappy], tmp_path / "out")
    assert all(steps(frames) == {4} for frames in clips(made).values())
    assert sum(map(len, clips(made).values())) == 30
    assert {name.split("_part")[0] for name in clips(made)} == {
        "ride_shot_00_piece_00",
        "ride_shot_00_piece_01",
    }
    assert "ride.mkv: 1 gap in time, median step 0.040 s: 2.04 s" in caplog.text


def test_without_a_limit_a_gap_is_a_step(tmp_path, gappy):
    made = extract([gappy], tmp_path / "out", max_step=None)
    assert {step for frames in clips(made).values() for step in steps(frames)} == {4, 204}


def test_the_manifest_has_the_times_of_a_video_from_its_first_frame(tmp_path):
    times = [50 + number + number // 3 for number in range(24)]  # variable rate
    made = extract([write_video(tmp_path / "ride.mkv", drifting(24), times=times)], tmp_path / "out")
    seconds = sorted(frame.seconds for frame in made.frames)
    assert seconds == pytest.approx([(time - 50) / 25 for time in times], abs=1e-3)
    header, first = (tmp_path / "out/manifest.csv").read_text().splitlines()[:2]
    assert header.endswith(",origin,seconds")
    assert first.endswith(",,0.0")


def test_a_folder_without_times_has_no_column_of_them(tmp_path):
    (tmp_path / "ride").mkdir()
    for number, pixels in enumerate(drifting(20)):
        cv2.imwrite(str(tmp_path / f"ride/{number}.png"), pixels)
    made = extract([tmp_path / "ride"], tmp_path / "out")
    assert {frame.seconds for frame in made.frames} == {None}
    assert (tmp_path / "out/manifest.csv").read_text().splitlines()[0].endswith(",boxes,origin")
    assert made.info.videos[0].frames_per_second is None


def test_damaged_frames_end_a_clip_and_are_counted_in_the_facts(tmp_path):
    path = write_video(tmp_path / "ride.avi", drifting(40), codec="mjpeg", pixels="yuvj420p")
    damage(path, 13)
    made = extract([path], tmp_path / "out", damaged="skip")
    assert {name.split("_part")[0] for name in clips(made)} == {
        "ride_shot_00_piece_00",
        "ride_shot_00_piece_01",
    }
    assert all(steps(frames) == {4} for frames in clips(made).values())
    [facts] = json.loads((tmp_path / "out/dataset.json").read_text())["videos"]
    assert facts == {
        "name": "ride",
        "path": str(path),
        "frames_per_second": 25.0,
        "damaged": 1,
        "notes": ["1 damaged frame left out, 1 gap: after frame 12"],
    }


def test_a_piece_that_is_too_short_is_left_out_and_its_frames_removed(tmp_path, caplog):
    path = write_video(tmp_path / "ride.avi", drifting(40), codec="mjpeg", pixels="yuvj420p")
    damage(path, 3)
    with caplog.at_level(logging.WARNING):
        made = extract([path], tmp_path / "out", damaged="skip")
    assert "ride: shot 0 piece 0 has 3 frames, fewer than 4; left out" in caplog.text
    assert sum(map(len, clips(made).values())) == 36
    assert len(list((tmp_path / "out/frames/ride/shot_00").iterdir())) == 36


def test_the_stream_that_was_taken_stands_in_the_facts(tmp_path):
    path = write_streams(tmp_path / "ride.mkv", drifting(6, (24, 32)), drifting(30))
    made = extract([path], tmp_path / "out")
    assert made.info.videos[0].notes[0].startswith("of 2 video streams took stream 1 (48×64")


def test_videos_of_one_name_are_all_read(tmp_path):
    for folder in ("left", "right"):
        (tmp_path / folder).mkdir()
        write_video(tmp_path / folder / "動画.mkv", drifting(20))
    made = extract([tmp_path / "left/動画.mkv", tmp_path / "right/動画.mkv"], tmp_path / "out")
    assert {name.split("_")[0] for name in clips(made)} == {"left-動画", "right-動画"}
    with pytest.raises(ValueError, match="listed more than once"):
        extract([tmp_path / "left/動画.mkv"] * 2, tmp_path / "more")
    assert not any((tmp_path / "more").iterdir())  # nothing was extracted before


@pytest.mark.parametrize("size", [(1, 1), (1, 64)])
def test_a_video_without_a_picture_is_refused_in_words(tmp_path, size):
    frames = [np.full((*size, 3), 5 * step, np.uint8) for step in range(20)]
    path = write_video(tmp_path / "dot.mkv", frames, codec="ffv1", pixels="bgr0")
    with pytest.raises(ValueError, match=rf"dot\.mkv is {size[0]}×{size[1]} pixels; its largest window of"):
        extract([path], tmp_path / "out")


def test_a_turned_video_is_extracted_upright(tmp_path):
    path = write_video(tmp_path / "phone.mp4", drifting(20))
    turn(path, 0, 1, -1, 0)
    made = extract([path], tmp_path / "out", size=(64, 48))
    upright = cv2.imread(str(made.frames[0].image))[..., ::-1].astype(int)
    assert upright.shape == (64, 48, 3)
    assert abs(upright - np.rot90(drifting(1)[0], -1)).mean() < 8
