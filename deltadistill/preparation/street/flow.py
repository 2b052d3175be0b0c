"""Exact backward flow: where each pixel's surface point was in the frame before, and if it was visible."""

import numpy as np

from deltadistill.preparation.street.camera import Lens
from deltadistill.preparation.street.canvas import Canvas
from deltadistill.preparation.street.scene_parts import Thing

_DEPTH_TOLERANCE = 0.15  # relative; half a pixel on slanted ground moves the depth by less


def backward_flow(now: Canvas, before: Canvas, things: tuple[Thing, ...], lens: Lens) -> tuple:
    """Flow float32 (H, W, 2) with x_before = x + flow, and its validity bool (H, W).

    A pixel is valid where the same surface, at about the same depth, is what the nearest pixel of the frame
    before shows.
    """
    rays, pose = now.rays, now.pose
    x, y, z = pose.x + now.distance * rays.dx, now.distance * rays.dy, pose.z + now.distance * rays.dz
    speed = np.zeros((len(things) + 1, 2), np.float32)  # row 0: the background stands still
    speed[1:] = [thing.velocity for thing in things]
    owner = np.maximum(now.surface, 0)
    column, row, depth = lens.project(
        before.pose, x - speed[:, 0].take(owner), y, z - speed[:, 1].take(owner)
    )
    flow = np.empty((lens.height, lens.width, 2), np.float32)
    np.subtract(column, np.arange(lens.width, dtype=np.float32)[None, :], out=flow[..., 0])
    np.subtract(row, np.arange(lens.height, dtype=np.float32)[:, None], out=flow[..., 1])
    return flow, _visible_before(column, row, depth, now, before, lens)


def _visible_before(column, row, depth, now: Canvas, before: Canvas, lens: Lens) -> np.ndarray:  # noqa: ANN001
    inside = (column > -0.5) & (column < lens.width - 0.5) & (row > -0.5) & (row < lens.height - 0.5)
    nearest_column = np.rint(np.clip(column, 0, lens.width - 1)).astype(np.int32)
    nearest_row = np.rint(np.clip(row, 0, lens.height - 1)).astype(np.int32)
    source = nearest_row * lens.width + nearest_column
    same = before.surface.ravel().take(source) == now.surface
    gap = before.distance.ravel().take(source) * before.rays.dz.ravel().take(source) - depth
    return inside & same & (abs(gap) < _DEPTH_TOLERANCE * depth)
