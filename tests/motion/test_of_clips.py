"""Motion of training clips since their key frames."""

import pytest
import torch
from preparation.small_videos import drifting

from deltadistill.motion.of_clips import ClipMotion


def clip(frames):
    return torch.stack([torch.from_numpy(frame.copy()).permute(2, 0, 1) for frame in frames])


def test_every_later_frame_has_its_motion_since_the_key_frame():
    frames = drifting(5, (64, 96))
    clips = torch.stack([clip(frames[:3]), clip([frames[2], frames[4], frames[2]])])
    found = ClipMotion("medium")(clips)
    assert found.shape == (2, 2, 2, 64, 96)
    inside = found[..., 16:48, 24:72].median(-1).values.median(-1).values  # (N, T − 1, 2)
    step = inside[0, 0]
    assert step.abs().max() > 0.5
    torch.testing.assert_close(inside[0, 1], 2 * step, atol=0.3, rtol=0)
    torch.testing.assert_close(inside[1, 0], 2 * step, atol=0.3, rtol=0)
    assert found[1, 1].abs().max() == 0  # the key frame again


def test_pictures_as_a_network_takes_them_have_the_same_motion():
    clips = clip(drifting(2, (64, 96)))[None]
    found, wanted = ClipMotion()((clips.float() - 128) / 50), ClipMotion()(clips)
    assert (found - wanted).abs().median() < 0.05


def test_clips_without_colours_are_refused():
    with pytest.raises(
        ValueError, match=r"clips of colour pictures, \(N, T, 3, H, W\); got \(2, 2, 1, 8, 8\)"
    ):
        ClipMotion()(torch.zeros(2, 2, 1, 8, 8))
