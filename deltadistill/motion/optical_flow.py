"""Optical flow between two frames by OpenCV's DIS, and where both directions agree (Kroeger et al., 2016)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import torch
import torch.nn.functional as F
from torch import Tensor

from deltadistill.motion.dis import Preset, dis_flow


@dataclass(frozen=True)
class Flow:
    """Backward flow of one frame: x before = x + flow, in pixels, channel 0 horizontal and 1 vertical.

    `flow` is float32 (2, H, W); `visible` bool (H, W), true where the same surface is seen in the frame
    before.
    """

    flow: Tensor
    visible: Tensor


class DisFlow:
    """Estimates backward flow and its forward-backward mask from two images."""

    def __init__(self, preset: Preset = "medium") -> None:
        self._dis = dis_flow(preset)

    def between(self, before: Tensor, now: Tensor) -> Flow:
        """Return the flow from `now` back to `before`, uint8 RGB images (3, H, W) with a side of ≥ 12."""
        before, now = _gray(before), _gray(now)
        backward = self._estimate(now, before)
        forward = self._estimate(before, now)
        return Flow(backward, forward_backward_mask(backward, forward))

    def _estimate(self, source, target) -> Tensor:  # noqa: ANN001
        return torch.from_numpy(self._dis.calc(source, target, None)).permute(2, 0, 1).contiguous()


def _gray(image: Tensor):
    if image.dtype != torch.uint8 or image.dim() != 3 or image.shape[0] != 3:
        raise ValueError(f"expected a uint8 image (3, H, W), got {image.dtype} {tuple(image.shape)}")
    return cv2.cvtColor(image.permute(1, 2, 0).contiguous().numpy(), cv2.COLOR_RGB2GRAY)


def source_positions(flow: Tensor) -> Tensor:
    """Return x + flow for flow (…, 2, H, W): where each pixel was, in pixels, same shape."""
    height, width = flow.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height, dtype=flow.dtype, device=flow.device),
        torch.arange(width, dtype=flow.dtype, device=flow.device),
        indexing="ij",
    )
    return flow + torch.stack([x, y])


def forward_backward_mask(backward: Tensor, forward: Tensor) -> Tensor:
    """Return where going back and forth ends near the start: bool (H, W) for flows (2, H, W).

    |b + f|² < 0.01 (|b|² + |f|²) + 0.5 with f sampled where b leads to (Sundaram et al., ECCV 2010);
    false where b leads out of the image.
    """
    height, width = backward.shape[-2:]
    positions = source_positions(backward)
    limits = positions.new_tensor([width - 1, height - 1]).view(2, 1, 1)
    inside = ((positions >= 0) & (positions <= limits)).all(0)
    grid = (2 * positions / limits.clamp(min=1) - 1).permute(1, 2, 0)  # −1 and 1 are the centres at the edges
    returned = F.grid_sample(forward[None], grid[None], padding_mode="border", align_corners=True)[0]
    gap = (backward + returned).square().sum(0)
    length = backward.square().sum(0) + returned.square().sum(0)
    return inside & (gap < 0.01 * length + 0.5)
