"""Maps moved along a flow, by numbers worked by hand."""

import pytest
import torch

from deltadistill.motion.warp import warped


def flow(x, y, size):
    return torch.stack([torch.full(size, float(x)), torch.full(size, float(y))])[None]


def test_whole_pixels_are_copied_and_borders_repeat():
    maps = torch.arange(6.0).reshape(1, 1, 2, 3)  # 0 1 2 / 3 4 5
    right, up = warped(maps, flow(1, 0, (2, 3)))[0, 0], warped(maps, flow(0, -1, (2, 3)))[0, 0]
    torch.testing.assert_close(right, torch.tensor([[1.0, 2, 2], [4, 5, 5]]))
    torch.testing.assert_close(up, torch.tensor([[0.0, 1, 2], [0, 1, 2]]))
    torch.testing.assert_close(warped(maps, flow(0, 0, (2, 3))), maps)


def test_between_pixels_it_is_bilinear():
    maps = torch.arange(6.0).reshape(1, 1, 2, 3)
    # ¼ to the right and ½ down from 0: ¾ · ½ · (0 + 3) + ¼ · ½ · (1 + 4)
    assert warped(maps, flow(0.25, 0.5, (2, 3)))[0, 0, 0, 0].item() == pytest.approx(1.75)


@pytest.mark.parametrize("size", [(2, 3), (4, 6), (8, 12), (1, 1)])
def test_a_flow_of_another_resolution_moves_by_the_same_share_of_the_picture(size):
    maps = torch.arange(24.0).reshape(1, 1, 4, 6)
    third = flow(size[1] / 3, 0, size)  # a third of the width: two of the maps' six columns
    torch.testing.assert_close(warped(maps, third)[..., :4], maps[..., 2:])


def test_every_stream_has_its_own_flow():
    maps = torch.arange(3.0).expand(2, 1, 1, 3)
    both = torch.cat([flow(0, 0, (1, 3)), flow(-1, 0, (1, 3))])
    torch.testing.assert_close(warped(maps, both)[:, 0, 0], torch.tensor([[0.0, 1, 2], [0, 0, 1]]))
