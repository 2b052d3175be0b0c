"""Which stream of a file is read, and how its frames are turned: as a player would show them."""

import numpy as np
import pytest
from preparation.small_videos import cover_first, drifting, grey, turn, write_streams, write_video

from deltadistill.video.orientation import turned
from deltadistill.video.video_frame import Noticed
from deltadistill.video.video_source import read_video

PREVIEW = [grey(9 * step, (48, 64)) for step in range(6)]
FILM = [grey(5 * step, (120, 160)) for step in range(40)]


def read(path):
    noticed = Noticed()
    return list(read_video(path, noticed=noticed)), noticed


@pytest.mark.parametrize(
    "suffix", ["mp4", "mkv", "avi"]
)  # an MP4's first stream is marked as default unasked
def test_the_film_is_read_and_not_the_preview_before_it(tmp_path, suffix):
    frames, noticed = read(write_streams(tmp_path / f"a.{suffix}", PREVIEW, FILM))
    assert len(frames) == 40
    assert {frame.pixels.shape for frame in frames} == {(120, 160, 3)}
    assert noticed.chosen.startswith("of 2 video streams took stream 1 (120×160, 1.60 s")
    assert "not stream 0 (48×64, 0.24 s" in noticed.chosen


def test_of_streams_of_one_size_the_longer_is_read_wherever_it_stands(tmp_path):
    brief = FILM[:10]
    for place, films in enumerate([(FILM, brief, brief), (brief, FILM, brief), (brief, brief, FILM)]):
        frames, noticed = read(write_streams(tmp_path / "a.mkv", *films))
        assert len(frames) == 40
        assert f"took stream {place} " in noticed.chosen


def test_the_stream_that_is_marked_as_default_is_read_although_another_is_somewhat_larger(tmp_path):
    larger = [grey(5 * step, (240, 320)) for step in range(40)]
    frames, noticed = read(write_streams(tmp_path / "a.mp4", FILM, larger))
    assert {frame.pixels.shape for frame in frames} == {(120, 160, 3)}
    assert "took stream 0 (120×160, 1.60 s, 40 frames, marked as default)" in noticed.chosen


def test_a_cover_picture_that_comes_first_does_not_hide_the_film(tmp_path):
    path = write_streams(tmp_path / "a.mp4", FILM, covers=[[grey(0, (300, 400))]])
    cover_first(path)
    frames, noticed = read(path)
    assert len(frames) == 40
    assert noticed.chosen is None  # there was nothing to choose


def test_a_cover_picture_alone_is_no_video(tmp_path):
    path = write_streams(tmp_path / "a.mp4", covers=[[grey(0)]])
    with pytest.raises(ValueError, match=r"a\.mp4 has no video stream but a cover picture"):
        read(path)


def quarters():
    """A frame whose four quarters are told apart: top left dark, top right grey, below light, white."""
    levels = np.kron(np.array([[0, 80], [160, 240]]), np.ones((16, 24)))
    return [np.repeat(levels[..., None], 3, 2).astype(np.uint8)] * 4


def corners(pixels):
    height, width = pixels.shape[:2]
    centres = [(y, x) for y in (height // 4, -height // 4) for x in (width // 4, -width // 4)]
    return [round(float(pixels[y, x].mean()) / 80) for y, x in centres]


@pytest.mark.parametrize(
    ("matrix", "shape", "seen"),
    [
        ((1, 0, 0, 1), (32, 48, 3), [0, 1, 2, 3]),
        ((0, 1, -1, 0), (48, 32, 3), [2, 0, 3, 1]),  # a quarter turn clockwise: a phone held upright
        ((-1, 0, 0, -1), (32, 48, 3), [3, 2, 1, 0]),
        ((0, -1, 1, 0), (48, 32, 3), [1, 3, 0, 2]),  # counter-clockwise
        ((-1, 0, 0, 1), (32, 48, 3), [1, 0, 3, 2]),  # mirrored
        ((0, 1, 1, 0), (48, 32, 3), [0, 2, 1, 3]),  # mirrored and turned
    ],
)
def test_frames_come_as_the_display_matrix_says(tmp_path, matrix, shape, seen):
    path = write_video(tmp_path / "phone.mp4", quarters())
    turn(path, *matrix)
    frames, _ = read(path)
    assert [frame.pixels.shape for frame in frames] == [shape] * 4
    assert corners(frames[-1].pixels) == seen


def test_an_odd_angle_counts_as_the_nearest_quarter_turn():
    pixels = np.arange(6).reshape(2, 3, 1)
    for matrix in ((0.98, 0.2, -0.2, 0.98), (0, 0, 0, 0)):
        assert turned(pixels, tuple(int(65536 * value) for value in matrix)).tolist() == pixels.tolist()
    steep = tuple(int(65536 * value) for value in (0.2, 0.98, -0.98, 0.2))
    assert turned(pixels, steep)[..., 0].tolist() == [[3, 0], [4, 1], [5, 2]]


def test_a_video_that_is_not_turned_keeps_its_pixels(tmp_path):
    frames, _ = read(write_video(tmp_path / "a.mkv", drifting(5), codec="ffv1", pixels="bgr0"))
    assert all(np.array_equal(frame.pixels, made) for frame, made in zip(frames, drifting(5), strict=True))
