"""Optical flow: direction and accuracy on a known shift, and the forward-backward mask."""

import cv2
import numpy as np
import pytest
import torch

from deltadistill.motion.optical_flow import DisFlow, forward_backward_mask


def texture(height=64, width=96):
    noise = np.random.default_rng(0).uniform(size=(height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2)
    return torch.from_numpy(cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)).permute(
        2, 0, 1
    )


def uniform(x, y, size=(4, 5)):
    return torch.stack([torch.full(size, float(x)), torch.full(size, float(y))])


@pytest.mark.parametrize("preset", ["ultrafast", "fast", "medium"])
def test_flow_points_back_to_where_the_surface_was(preset):
    before = texture()
    now = before.roll((2, 3), dims=(1, 2))  # down by 2, right by 3
    flow = DisFlow(preset).between(before, now)
    inner = flow.flow[:, 16:-16, 16:-16]
    assert flow.flow.shape == (2, 64, 96)
    assert inner.mean((1, 2)).tolist() == pytest.approx([-3, -2], abs=0.3)
    assert flow.visible[16:-16, 16:-16].float().mean() > 0.95


def test_the_mask_holds_where_going_back_and_forth_returns():
    mask = forward_backward_mask(uniform(-1, 0), uniform(1, 0))
    assert mask.tolist() == [[False, True, True, True, True]] * 4  # column 0 leads out of the image


def test_the_mask_is_false_where_the_way_forth_ends_elsewhere():
    # gap 2 px: 4 > 0.01 · (1 + 9) + 0.5; gap ½ px: 0.25 < 0.01 · (1 + 2.25) + 0.5
    assert not forward_backward_mask(uniform(1, 0), uniform(-3, 0)).any()
    assert forward_backward_mask(uniform(1, 0), uniform(-1.5, 0))[:, :-1].all()


def test_the_way_forth_is_read_where_the_way_back_ends():
    backward, forward = uniform(-2, 0), uniform(0, 0)
    forward[0, :, 0] = 2.0
    assert forward_backward_mask(backward, forward).tolist() == [[False, False, True, False, False]] * 4


def test_wrong_images_and_presets_are_refused():
    with pytest.raises(ValueError, match="DIS preset 'slow' is unknown; allowed: ultrafast, fast, medium"):
        DisFlow("slow")
    with pytest.raises(ValueError, match="expected a uint8 image"):
        DisFlow().between(texture().float(), texture())
