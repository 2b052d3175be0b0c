"""Draws what fills the street scene behind its things: sky, hills, ground and walls."""

import numpy as np

from deltadistill.preparation.street.camera import EYE
from deltadistill.preparation.street.canvas import (
    FAR,
    FIRST_WALL,
    GROUND_SURFACE,
    HILL_SURFACE,
    SKY_SURFACE,
    Canvas,
    choose,
)
from deltadistill.preparation.street.draws import wave
from deltadistill.preparation.street.scene_parts import Ground, Scene, Walls
from deltadistill.preparation.street.texture import sample

_GROUND_REACH, _WALL_REACH = 300.0, 250.0  # lengths of a ray


def draw_background(canvas: Canvas, scene: Scene) -> None:
    """Sky and hills, then the ground, then the walls that hide them."""
    _draw_sky(canvas, scene)
    below = int(np.argmax(canvas.rays.dy[:, 0] > 0.005))
    if canvas.rays.dy[-1, 0] > 0.005:
        _draw_ground(canvas.part((slice(below, None), slice(None))), scene.ground)
    _draw_walls(canvas, scene.walls)


def _draw_sky(canvas: Canvas, scene: Scene) -> None:
    rays = canvas.rays
    above = int(np.argmax(rays.dy[:, 0] > 0.02)) or rays.dy.shape[0]
    rays = canvas.part((slice(0, above), slice(None))).rays
    across, up = rays.dx * rays.inverse_z, -rays.dy * rays.inverse_z
    clouds = sample(across, up * 2, 60) * 0.05 - 0.12 * np.maximum(up, 0)
    base, amplitude, rate, start = scene.hills
    skyline = base + amplitude * wave(across * rate + start) + 0.015 * sample(across, across, 90)
    hill = up < skyline
    material, shade = canvas.material[:above], canvas.shade[:above]
    material[:] = choose(hill, scene.hill_material, scene.sky_material, np.uint8)
    shade[:] = choose(hill, 0.06 * sample(across, up, 200), clouds)
    canvas.surface[:above] = choose(hill, HILL_SURFACE, SKY_SURFACE, np.int16)
    canvas.material[above:] = scene.hill_material
    canvas.surface[above:] = HILL_SURFACE


def _draw_ground(canvas: Canvas, ground: Ground) -> None:
    rays, pose = canvas.rays, canvas.pose
    s = EYE * rays.inverse_y[:, :1]  # a row's rays all meet the ground at the same length
    s = np.minimum(s, np.float32(_GROUND_REACH))
    x, z = pose.x + s * rays.dx, pose.z + s * rays.dz
    left, right = ground.road
    crossing = (z > ground.crossing[0]) & (z < ground.crossing[1])
    on_road = ((x > left) & (x < right)) | crossing
    on_walk = (x > ground.walk[0]) & (x < ground.walk[1])
    road, walk, verge, paint = ground.materials
    material = choose(on_road, road, choose(on_walk, walk, verge, np.uint8), np.uint8)
    near = 1 / (1 + s * np.float32(0.04))
    rough = choose(on_road | on_walk, 0.045, 0.12)
    shade = (sample(x, z, 24) + sample(z, x, 5)) * rough
    joint = np.float32(1 / ground.slab)
    joints = (_fraction(x * joint) < 0.08) | (_fraction(z * joint) < 0.08)
    np.subtract(shade, np.float32(0.10), out=shade, where=joints & on_walk & ~on_road)
    dashes = (abs(x - 0.3) < 0.10) & (_fraction(z * np.float32(0.2)) < 0.45) & ~crossing
    curb = ((abs(x - left) < 0.14) | (abs(x - right) < 0.14)) & ~crossing
    np.subtract(shade, np.float32(0.14), out=shade, where=curb)
    np.copyto(material, paint, where=dashes)
    everywhere = np.broadcast_to(s < _GROUND_REACH, x.shape)
    canvas.paint(everywhere, distance=s, material=material, shade=shade * near, surface=GROUND_SURFACE)


def _draw_walls(canvas: Canvas, walls: Walls) -> None:
    rays, pose = canvas.rays, canvas.pose
    right = rays.dx > 0
    s = choose(right, walls.x[1] - pose.x, walls.x[0] - pose.x) * rays.inverse_x
    s = np.clip(s, np.float32(0), np.float32(_WALL_REACH))
    seen = np.flatnonzero((s < canvas.distance).any(1))
    if len(seen) == 0:
        return
    rows = slice(int(seen[0]), int(seen[-1]) + 1)
    _paint_walls(canvas.part((rows, slice(None))), walls, right[rows], s[rows])


def _paint_walls(canvas: Canvas, walls: Walls, right: np.ndarray, s: np.ndarray) -> None:
    up, z = EYE - s * canvas.rays.dy, canvas.pose.z + s * canvas.rays.dz
    count = len(walls.materials[0])
    along = z * np.float32(1 / walls.segment)
    index = np.floor(along).astype(np.int32) % count + right * np.int32(count)
    is_hedge = np.array(walls.hedge, bool).ravel().take(index)
    leaves = sample(z, up, 30)
    height = np.array(walls.height, np.float32).ravel().take(index) + leaves * (is_hedge * np.float32(0.4))
    hit = (s < canvas.distance) & (s < _WALL_REACH) & (s > 0) & (up < height)
    pitch, storey = walls.window
    pane = (_fraction(z * np.float32(1 / pitch)) < 0.5) & (
        abs(_fraction(up * np.float32(1 / storey)) - 0.6) < 0.24
    )
    seam = _fraction(along) < 0.02
    shade = sample(z, up, 12) * 0.035 - pane * np.float32(0.17) - seam * np.float32(0.12)
    np.copyto(shade, leaves * 0.12 + sample(z, up, 8) * 0.06, where=is_hedge)
    shade = shade / (1 + s * np.float32(0.03)) + choose(right, walls.light[1], walls.light[0])
    material = np.array(walls.materials, np.uint8).ravel().take(index)
    canvas.paint(hit, distance=s, material=material, shade=shade, surface=FIRST_WALL - index)


def _fraction(values: np.ndarray) -> np.ndarray:
    return values - np.floor(values)


assert FAR > _GROUND_REACH > _WALL_REACH
