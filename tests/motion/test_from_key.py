"""Motion since the key frame: of pictures that move by known numbers of pixels."""

import cv2
import numpy as np
import pytest
import torch
from preparation.small_videos import drifting

from deltadistill.motion.flow_macs import dis_macs
from deltadistill.motion.from_key import ByVectors, from_key
from deltadistill.motion.moved import explaining

SIZE = (64, 96)


def pictures(count, speed=1):
    frames = drifting(count * speed, SIZE)[::speed]
    return [torch.from_numpy(frame.copy()).permute(2, 0, 1) for frame in frames]


def followed(motion, frames, steps=None):
    for n, frame in enumerate(frames):
        motion.see(frame, None if n == 0 or steps is None else steps, is_key=n == 0)
    return motion


@pytest.mark.parametrize("name", ["flow", "encoded"])
def test_three_steps_of_two_pixels_are_six_back_and_six_forth(name):
    motion = followed(from_key(name, preset="medium"), pictures(4, speed=2))
    inside = np.s_[16:48, 32:64]
    assert np.median(motion.back()[inside], (0, 1)) == pytest.approx([-6, 0], abs=0.3)
    assert np.median(motion.forth()[inside], (0, 1)) == pytest.approx([6, 0], abs=0.3)


def test_vectors_of_the_file_are_joined_where_each_step_leads():
    step = torch.zeros(2, *SIZE)
    step[0, :, 40:] = -1  # the right half drifts, the left half stands
    motion = followed(from_key("vectors"), pictures(4), step)
    # pixel 41 was at 40, then at 39, which stands; pixel 60 was at 59, 58, 57
    assert motion._back[30, [20, 41, 60], 0].tolist() == [0, -2, -3]
    assert motion._forth[30, [20, 60], 0].tolist() == [0, 3]


def test_a_place_without_a_vector_stays():
    step = torch.full((2, *SIZE), torch.nan)
    assert not followed(from_key("vectors"), pictures(2), step).back().any()


def test_motion_that_does_not_bring_the_pictures_nearer_is_none():
    key = np.tile(np.arange(96, dtype=np.uint8) * 2, (64, 1))  # a ramp, then the same four pixels further on
    now = np.roll(key, 4, 1)
    true, wrong = (np.full((*SIZE, 2), (x, 0), np.float32) for x in (-4, 4))
    assert (explaining(true, now, key)[16:48, 16:80] == true[16:48, 16:80]).all()
    assert not explaining(wrong, now, key)[16:48, 16:80].any()
    assert not explaining(true, key, key).any()  # a still picture is explained best as it is


def test_a_new_key_frame_begins_anew():
    motion = followed(from_key("encoded"), pictures(3))
    motion.see(pictures(4)[3], None, is_key=True)
    assert not motion.back().any()


def test_a_stream_without_vectors_is_told_so():
    with pytest.raises(ValueError, match=r"none of the first 3 frames has motion vectors.*motion: encoded"):
        followed(from_key("vectors"), pictures(3))


def test_dis_is_counted_by_its_own_settings():
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    # finest level 96/4 × 192/4 = 1152 pixels, 4/3 for the coarser ones; patches of 64 pixels, one per 16
    # pixels: 4 · (6 · 12 steps + 6 to vote) = 312 each, no refinement
    assert dis_macs(dis, 96, 192) == 1152 * 4 // 3 * 312
    motion = from_key("flow", preset="ultrafast", longest=192)
    assert motion.macs(96, 192) == 1152 * 4 // 3 * 312 + 4 * 96 * 192
    assert motion.macs(192, 384) == motion.macs(96, 192)  # reduced first
    assert ByVectors(lambda *_: None).macs(10, 10) == 3 * 4 * 100


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"motion": "guess"}, "motion 'guess' is unknown; allowed: flow, vectors, encoded"),
        ({"motion": "flow", "preset": "slow"}, "DIS preset 'slow' is unknown"),
        ({"motion": "flow", "longest": 3}, "longest is 3 pixels; expected at least 16"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        from_key(**options)


def test_a_picture_that_no_encoder_takes_is_refused():
    with pytest.raises(ValueError, match="15 x 20 pixels cannot be encoded: its sides must be even"):
        from_key("encoded").see(torch.zeros(3, 15, 20, dtype=torch.uint8), None, is_key=True)
