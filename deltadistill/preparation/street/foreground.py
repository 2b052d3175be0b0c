"""Draws the things of a street: cars as boxes traced by slabs, all others as upright outlined cards."""

from collections.abc import Iterator

import numpy as np

from deltadistill.preparation.street.camera import EYE, Lens, Pose
from deltadistill.preparation.street.canvas import Canvas, choose
from deltadistill.preparation.street.scene_parts import Scene, Thing
from deltadistill.preparation.street.texture import sample

_NEAREST = 1.2  # metres; a thing nearer than this is behind the lens


def draw_foreground(canvas: Canvas, scene: Scene, lens: Lens, frame: int) -> dict[int, tuple[slice, slice]]:
    """All things of a frame; what is nearer hides what is farther, in whatever order they come.

    Returns the window of pixels (rows, columns) that holds each thing drawn, by its number.
    """
    windows = {}
    for number, window in _visible(scene.things, canvas.pose, lens, frame):
        thing = scene.things[number]
        painter = _PAINTERS[thing.kind]
        painter(canvas.part(window), thing, thing.position(frame), number + 1)
        windows[number] = window
    return windows


def draw_alone(canvas: Canvas, thing: Thing, window: tuple[slice, slice], frame: int) -> np.ndarray:
    """bool (rows, columns) of a window: the pixels a thing would take if nothing stood before it."""
    alone = Canvas.blank(canvas.pose, canvas.part(window).rays)
    _PAINTERS[thing.kind](alone, thing, thing.position(frame), 1)
    return alone.surface == 1


def _visible(things: tuple[Thing, ...], pose: Pose, lens: Lens, frame: int) -> Iterator:
    """(thing number, window of pixels) of the things that fall inside the image."""
    place = np.array([thing.position(frame) for thing in things])
    size = np.array([thing.size for thing in things])
    x = place[:, 0:1] + size[:, 0:1] * np.array([-0.5, 0.5] * 4)
    z = place[:, 1:2] + size[:, 2:3] * np.array([-0.5, -0.5, 0.5, 0.5] * 2)
    y = EYE - size[:, 1:2] * np.array([-0.02] * 4 + [1.02] * 4)
    u, v, _ = lens.project(pose, x, y, z)
    ahead = z.max(1) - pose.z > _NEAREST
    beside = z.min(1) - pose.z < _NEAREST  # corners behind the lens bound nothing
    left, right = np.floor(u.min(1)) - 1, np.ceil(u.max(1)) + 2
    top, bottom = np.floor(v.min(1)) - 1, np.ceil(v.max(1)) + 2
    left, top = (np.clip(np.where(beside, 0, edge), 0, None).astype(int) for edge in (left, top))
    right = np.clip(np.where(beside, lens.width, right), 0, lens.width).astype(int)
    bottom = np.clip(np.where(beside, lens.height, bottom), 0, lens.height).astype(int)
    for number in np.flatnonzero(ahead & (left < right) & (top < bottom)):
        yield (
            int(number),
            (
                slice(int(top[number]), int(bottom[number])),
                slice(int(left[number]), int(right[number])),
            ),
        )


def _card(canvas: Canvas, thing: Thing, place: tuple[float, float]) -> tuple:
    """Of a card facing the street: ray length, coordinates a (−0.5..0.5, across) and b (0..1, up), mask."""
    rays, pose = canvas.rays, canvas.pose
    s = np.float32(place[1] - pose.z) * rays.inverse_z
    a = (s * rays.dx + (pose.x - place[0])) * np.float32(1 / thing.size[0])
    b = (EYE - s * rays.dy) * np.float32(1 / thing.size[1])
    inside = (abs(a) < 0.5) & (b > 0) & (b < 1) & (s < canvas.distance)
    return s, a, b, inside


def _weave(thing: Thing, a: np.ndarray, b: np.ndarray, per_metre: float) -> np.ndarray:
    return sample(a * thing.size[0] + thing.grain, b * thing.size[1] + thing.grain, per_metre)


def _paint_person(canvas: Canvas, thing: Thing, place: tuple[float, float], surface: int) -> None:
    s, a, b, inside = _card(canvas, thing, place)
    skin, coat, trousers = thing.materials
    wide = abs(a)
    head = (a / 0.24) * (a / 0.24) + ((b - 0.90) / 0.10) * ((b - 0.90) / 0.10) < 1
    trunk = (wide < 0.47 - 0.25 * abs(b - 0.62)) & (b > 0.42) & (b < 0.83)
    legs = (wide < 0.36) & (wide > 0.03) & (b <= 0.46)
    material = choose(b > 0.82, skin, choose(b > 0.45, coat, trousers, np.uint8), np.uint8)
    shade = _weave(thing, a, b, 30) * 0.06 - wide * 0.16 + 0.04
    canvas.paint(inside & (head | trunk | legs), distance=s, material=material, shade=shade, surface=surface)


def _paint_pole(canvas: Canvas, thing: Thing, place: tuple[float, float], surface: int) -> None:
    s, a, b, inside = _card(canvas, thing, place)
    shade = 0.10 - abs(a + 0.15) * 0.45 + _weave(thing, a, b, 20) * 0.04
    canvas.paint(inside, distance=s, material=thing.materials[0], shade=shade, surface=surface)


def _paint_sign(canvas: Canvas, thing: Thing, place: tuple[float, float], surface: int) -> None:
    s, a, b, inside = _card(canvas, thing, place)
    shaft, rim, plate = thing.materials
    tall = thing.size[0] / thing.size[1]  # the plate is as high as wide
    down = (b - (1 - tall / 2)) * np.float32(1 / tall)  # −0.5..0.5 on the plate
    reach = np.maximum(abs(a), abs(down))
    if thing.grain > 25:  # a round sign
        reach = np.sqrt(a * a + down * down)
    on_plate = reach < 0.5
    outline = on_plate | ((abs(a) < 0.15) & (down < 0))
    material = choose(on_plate, choose(reach > 0.34, rim, plate, np.uint8), shaft, np.uint8)
    shade = _weave(thing, a, b, 20) * 0.04 - choose(on_plate, 0, abs(a))
    canvas.paint(inside & outline, distance=s, material=material, shade=shade, surface=surface)


def _paint_tree(canvas: Canvas, thing: Thing, place: tuple[float, float], surface: int) -> None:
    s, a, b, inside = _card(canvas, thing, place)
    bark, leaf = thing.materials
    leaves = _weave(thing, a, b, 25)
    p, q = a * 2, (b - 0.66) / 0.34
    crown = p * p + q * q < 0.9 + 0.35 * leaves
    trunk = (abs(a) < 0.07) & (b < 0.5)
    shade = choose(crown, leaves * 0.13 + (b - 0.7) * 0.25, leaves * 0.05 - abs(a))
    canvas.paint(
        inside & (crown | trunk),
        distance=s,
        material=choose(crown, leaf, bark, np.uint8),
        shade=shade,
        surface=surface,
    )


def _paint_car(canvas: Canvas, thing: Thing, place: tuple[float, float], surface: int) -> None:
    width, _, length = thing.size
    along_x = width > length
    half_x, half_z = width / 2, length / 2
    short_x, short_z = (half_x * 0.62, half_z * 0.88) if along_x else (half_x * 0.88, half_z * 0.62)
    _paint_body(canvas, thing, place, (half_x, half_z), along_x, surface)
    _paint_cabin(canvas, thing, place, (short_x, short_z), surface)


def _slab(canvas: Canvas, place: tuple, half: tuple, low: float, high: float) -> tuple:
    """Where the rays enter an upright box: ray length, mask, whether through its side, its top, and the
    coordinates of the entry from the box's middle (x, z in metres) and from the ground."""
    rays, pose = canvas.rays, canvas.pose
    x, z = np.float32(place[0] - pose.x), np.float32(place[1] - pose.z)
    reach = abs(rays.inverse_x) * np.float32(half[0])
    middle = x * rays.inverse_x
    enter_x, leave_x = middle - reach, middle + reach
    enter_z, leave_z = (z - half[1]) * rays.inverse_z, (z + half[1]) * rays.inverse_z
    roof, floor = (EYE - high) * rays.inverse_y, (EYE - low) * rays.inverse_y
    enter_y, leave_y = np.minimum(roof, floor), np.maximum(roof, floor)
    s = np.maximum(np.maximum(enter_x, enter_z), enter_y)
    hit = (s < np.minimum(np.minimum(leave_x, leave_z), leave_y)) & (s > 0) & (s < canvas.distance)
    side, top = s == enter_x, s == enter_y
    return s, hit, side, top, s * rays.dx - x, s * rays.dz - z, EYE - s * rays.dy


def _paint_body(canvas: Canvas, thing: Thing, place: tuple, half: tuple, along_x: bool, surface: int) -> None:
    height = thing.size[1]
    s, hit, side, top, x, z, up = _slab(canvas, place, half, 0.0, 0.60 * height)
    paint, _, tyre, lamp = thing.materials
    lengthwise, across = (x, z) if along_x else (z, x)
    on_flank = ~side if along_x else side
    long_half, wide_half = (half[0], half[1]) if along_x else (half[1], half[0])
    axle = abs(abs(lengthwise) - 0.62 * long_half)
    wheel = choose(on_flank, axle < 0.34, abs(across) > 0.62 * wide_half, bool) & (up < 0.55)
    hit &= (up > 0.22) | wheel
    lights = ~on_flank & ~top & (abs(across) > 0.60 * wide_half) & (abs(up - 0.45 * height) < 0.11)
    material = choose(wheel, tyre, choose(lights, lamp, paint, np.uint8), np.uint8)
    shade = choose(top, 0.08, side * np.float32(-0.07))
    shade = shade + (up - 0.6) * 0.10 + sample(x + thing.grain, z + up, 10) * 0.02
    canvas.paint(hit, distance=s, material=material, shade=shade, surface=surface)


def _paint_cabin(canvas: Canvas, thing: Thing, place: tuple, half: tuple, surface: int) -> None:
    height = thing.size[1]
    s, hit, side, top, x, z, up = _slab(canvas, place, half, 0.60 * height, height)
    paint, glass, _, _ = thing.materials
    across, extent = choose(side, z, x), choose(side, half[1], half[0])
    window = ~top & (abs(across) < extent - 0.10) & (abs(up - 0.79 * height) < 0.15 * height)
    window &= ~side | (abs(across) > 0.06)
    shade = choose(top, 0.10, choose(side, -0.05, 0.02))
    shade = shade + choose(window, (up - 0.7 * height) * 0.35, 0)
    canvas.paint(
        hit, distance=s, material=choose(window, glass, paint, np.uint8), shade=shade, surface=surface
    )


_PAINTERS = {
    "car": _paint_car,
    "person": _paint_person,
    "pole": _paint_pole,
    "sign": _paint_sign,
    "tree": _paint_tree,
}
