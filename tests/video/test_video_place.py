"""Where videos lie, and the names that keep their folders and clips apart."""

from pathlib import Path

import pytest

from deltadistill.video.video_place import find_video, titles


def test_the_home_folder_may_be_written_as_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "ride.mp4").touch()
    assert find_video("~/ride.mp4") == tmp_path / "ride.mp4"


@pytest.mark.parametrize(
    "name", ["https://example.org/a.mp4", "rtsp://10.0.0.1/cam", "file:///a.mp4", "S3://b/a"]
)
def test_an_address_is_refused_as_one(name):
    with pytest.raises(ValueError, match=r"is an address; only files and folders are read: download it"):
        find_video(name)


@pytest.mark.parametrize(
    ("paths", "named"),
    [
        (["/a/ride.mp4", "/a/walk.mp4"], ["ride", "walk"]),
        (["/a/my first_ride (2).mp4"], ["my-first-ride-2"]),
        (["/a/cam0/data", "/a/cam1/data", "/a/ride.mp4"], ["cam0-data", "cam1-data", "ride"]),
        (["/a/x/cam/v.mp4", "/b/x/cam/v.mp4"], ["a-x-cam-v", "b-x-cam-v"]),
        (["/a/Ride.mp4", "/b/ride.mp4"], ["a-Ride", "b-ride"]),  # one folder where names ignore the case
        (["/a/自転車.mp4", "/a/街.mp4", "/a/Straße 1.mp4"], ["自転車", "街", "Straße-1"]),
        (["/a/ride.mp4", "/a/ride.mov"], ["a-ride-1", "a-ride-2"]),
        (["/a/…", "/b/!"], ["a", "b"]),
        (["/a/a b.mp4", "/a/a_b.mp4", "/a/a-a-b-1.mp4"], ["a-a-b-2", "a-a-b-3", "a-a-b-1"]),
    ],
)
def test_every_video_has_a_name_of_its_own(paths, named):
    assert titles([Path(path) for path in paths]) == named


def test_one_letter_written_in_two_ways_is_one_letter():
    assert titles([Path("/a/caf\u00e9.mp4"), Path("/b/cafe\u0301.mp4")]) == ["a-caf\u00e9", "b-caf\u00e9"]


def test_a_video_that_is_listed_twice_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"ride\.mp4 is listed more than once"):
        titles([tmp_path / "ride.mp4", tmp_path / "walk.mp4", tmp_path / "x" / ".." / "ride.mp4"])
