"""Motion vectors of small files whose pictures move by a known number of pixels."""

import av
import pytest
import torch
from preparation.small_videos import drifting, write_video

from deltadistill.motion.codec_vectors import export_vectors, motion_of


def decoded(path, *, exported=True):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if exported:
            export_vectors(stream)
        return list(container.decode(stream))


@pytest.mark.parametrize("speed", [1, 3])
def test_a_picture_that_drifts_to_the_right_was_to_the_left_before(tmp_path, speed):
    frames = drifting(4 * speed, size=(64, 96))[::speed]
    path = write_video(tmp_path / "drift.mp4", frames)
    first, *later = map(motion_of, decoded(path))
    assert first is None  # coded by itself
    for motion in later:
        assert motion.shape == (2, 64, 96)
        inside = motion[:, 16:48, 32:64]
        torch.testing.assert_close(
            inside.nanmedian(2).values.nanmedian(1).values, torch.tensor([-speed, 0.0])
        )


def test_motion_to_a_frame_further_back_is_divided_among_the_steps(tmp_path):
    frames = decoded(write_video(tmp_path / "drift.mp4", drifting(2, size=(64, 96))))
    torch.testing.assert_close(motion_of(frames[1], steps=2), motion_of(frames[1]) / 2, equal_nan=True)


def test_files_without_vectors_and_decoders_that_were_not_asked_have_none(tmp_path):
    moving = drifting(3, size=(64, 96))
    still = write_video(tmp_path / "still.avi", moving, codec="mjpeg", pixels="yuvj420p")
    assert set(map(motion_of, decoded(still))) == {None}
    path = write_video(tmp_path / "drift.mp4", moving)
    assert set(map(motion_of, decoded(path, exported=False))) == {None}
