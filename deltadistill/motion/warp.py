"""Feature maps moved along a flow, bilinear, at whatever resolution they have (torch)."""

import torch
import torch.nn.functional as F
from torch import Tensor


class Warp:
    """Moves maps of any resolution along one flow; where their places lead is worked out once a resolution.

    flow: float32 (N, 2, H, W), across and down, in its own pixels; averaged or interpolated to the maps'
    size, where half a pixel counts: centres of pixels lie at (i + ½) / size of the picture.
    least: of a place of the map; what moves by less stays (an engine moves what is left in less time).
    """

    def __init__(self, flow: Tensor, *, least: float = 0.0):
        self.flow = flow
        self._least = least
        self._grids: dict[tuple[int, int], Tensor] = {}

    def __call__(self, maps: Tensor) -> Tensor:
        """Maps (N, C, h, w), each place read where the flow leads: bilinear, at borders the nearest."""
        height, width = maps.shape[-2:]
        if (height, width) not in self._grids:
            self._grids[height, width] = _grid(self.flow, height, width, self._least)
        grid = self._grids[height, width].to(maps.dtype)
        return F.grid_sample(maps, grid, mode="bilinear", padding_mode="border", align_corners=False)


def warped(maps: Tensor, flow: Tensor) -> Tensor:
    """Maps moved along a flow, as `Warp` does."""
    return Warp(flow)(maps)


def _grid(flow: Tensor, height: int, width: int, least: float) -> Tensor:
    """Where each place leads, (N, h, w, 2), from −1 to 1 over the picture."""
    scale = flow.new_tensor([width / flow.shape[-1], height / flow.shape[-2]])[:, None, None]
    steps = _at_size(flow, (height, width)) * scale
    if least > 0:
        steps = torch.where(steps.norm(dim=1, keepdim=True) >= least, steps, 0.0)
    places = _centres(height, width, flow) + steps
    limits = flow.new_tensor([width, height])[:, None, None]
    return (2 * places / limits - 1).permute(0, 2, 3, 1)


def _at_size(flow: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(flow.shape[-2:]) == size:
        return flow
    if size[0] <= flow.shape[-2] and size[1] <= flow.shape[-1]:
        return F.adaptive_avg_pool2d(flow, size)
    return F.interpolate(flow, size, mode="bilinear", align_corners=False)


def _centres(height: int, width: int, like: Tensor) -> Tensor:
    """Middles of pixels, (2, h, w), across and down, from ½."""
    rows, columns = (torch.arange(n, dtype=like.dtype, device=like.device) + 0.5 for n in (height, width))
    return torch.stack(torch.meshgrid(columns, rows, indexing="xy"))
