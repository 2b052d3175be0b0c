"""Folders of pictures: order by number, numbers that are times, and what lies beside the pictures."""

import cv2
import numpy as np
import pytest
from PIL import Image

from deltadistill.video.picture_folder import sort_pictures
from deltadistill.video.video_source import read_video


def write(folder, names):
    folder.mkdir(exist_ok=True)
    for level, name in enumerate(names):
        cv2.imwrite(str(folder / name), np.full((8, 10, 3), level, np.uint8))
    return folder


def animation(path, count=5):
    pictures = [Image.fromarray(np.full((24, 48, 3), 40 * step, np.uint8)) for step in range(count)]
    durations = [40, 40, 80, 40, 40][:count]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=durations, lossless=True)
    return path


@pytest.mark.parametrize(
    ("unit", "names", "seconds"),
    [
        ("seconds", ["9.5.png", "10.25.png", "10.5.png"], [0, 0.75, 1]),
        ("milliseconds", ["f_998.png", "f_1031.png", "f_3065.png"], [0, 0.033, 2.067]),
        ("microseconds", ["990000.png", "1023366.png", "1056733.png"], [0, 0.033366, 0.066733]),
        # As robots write them: 19 digits are more than a float64 holds.
        (
            "nanoseconds",
            ["1403636579763555584.png", "1403636579813555456.png", "1403636580000000001.png"],
            [0, 0.049999872, 0.236444417],
        ),
    ],
)
def test_numbers_that_are_times_give_times_and_no_gaps(tmp_path, unit, names, seconds):
    folder = write(tmp_path / "ride", names)
    frames = list(read_video(folder, numbers=unit))
    assert [int(frame.pixels[0, 0, 0]) for frame in frames] == [0, 1, 2]
    assert [frame.seconds for frame in frames] == pytest.approx(seconds, abs=1e-12)
    if unit != "seconds":
        with pytest.raises(ValueError, match=r"lacks frames .* set prepare_dataset.video.folder_numbers"):
            list(read_video(folder))


def test_numbers_of_frames_give_no_times(tmp_path):
    assert {frame.seconds for frame in read_video(write(tmp_path / "a", ["0.png", "1.png"]))} == {None}


def test_hidden_files_are_no_pictures(tmp_path):
    folder = write(tmp_path / "a", ["f_0.png", "f_1.png"])
    for name in ("._f_0.png", "._f_1.png", ".f_2.png", ".DS_Store"):
        (folder / name).write_bytes(b"\0\5\26\7")
    assert [path.name for path in sort_pictures(folder)] == ["f_0.png", "f_1.png"]
    assert len(list(read_video(folder))) == 2


@pytest.mark.parametrize("suffix", [".ppm", ".PGM", ".gif", ".heic"])
def test_pictures_in_formats_that_are_not_read_are_called_that(tmp_path, suffix):
    folder = write(tmp_path / "a", ["0.png", "1.png", "2.png"])
    (folder / "1.png").rename(folder / f"1{suffix}")
    wanted = rf"a holds 1\{suffix}: pictures in \{suffix.lower()} are not read; convert them to PNG"
    with pytest.raises(ValueError, match=wanted):
        list(read_video(folder))
    (folder / f"1{suffix}").rename(folder / f"preview{suffix}")
    (folder / "2.png").rename(folder / "1.png")
    assert len(list(read_video(folder))) == 2


def test_an_animated_webp_is_a_video_with_its_own_times(tmp_path):
    frames = list(read_video(animation(tmp_path / "a.webp")))
    assert [int(frame.pixels[5, 5, 0]) for frame in frames] == [0, 40, 80, 120, 160]
    assert [frame.seconds for frame in frames] == [0, 0.04, 0.08, 0.16, 0.2]
    assert frames[0].pixels.shape == (24, 48, 3)
    assert len(list(read_video(tmp_path / "a.webp", max_frames=3))) == 3


def test_a_damaged_or_too_large_animation_is_refused(tmp_path, monkeypatch):
    path = animation(tmp_path / "a.webp")
    monkeypatch.setattr("deltadistill.video.animated_webp.MOST_PIXELS", 24 * 48 - 1)
    with pytest.raises(ValueError, match=r"a\.webp is 24×48; animations of 1 to 1151 pixels are read"):
        list(read_video(path))
    monkeypatch.undo()
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(ValueError, match=r"a\.webp is truncated or damaged"):
        list(read_video(path))


def test_an_animation_among_pictures_is_not_taken_for_its_first_frame(tmp_path):
    folder = write(tmp_path / "a", ["0.png", "1.png"])
    animation(folder / "2.webp")
    with pytest.raises(ValueError, match=r"2\.webp is an animation of several pictures"):
        list(read_video(folder))


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_a_single_picture_is_called_that(tmp_path, suffix):
    cv2.imwrite(str(tmp_path / f"a.{suffix}"), np.zeros((8, 10, 3), np.uint8))
    with pytest.raises(ValueError, match=rf"a\.{suffix} is a single picture; give the folder"):
        list(read_video(tmp_path / f"a.{suffix}"))
