"""Draws the street of a clip: sizes, colours, light, and through inhabitants.py its things."""

from deltadistill.preparation.street.draws import Draws
from deltadistill.preparation.street.inhabitants import draw_things
from deltadistill.preparation.street.scene_parts import (
    BUILDING,
    ROAD,
    SIDEWALK,
    SKY,
    VEGETATION,
    Colour,
    Ground,
    Light,
    Materials,
    Scene,
    Walls,
)


def draw_scene(draws: Draws, way: float, pace: float, *, is_empty: bool = False) -> Scene:
    """A street of which the camera travels `way` metres at `pace` metres per frame.

    is_empty: leave out all that stands and moves in it, which traffic.py has come and go.
    """
    materials = Materials()
    light = _light(draws)
    sky = materials.add(light.sky, SKY)
    leaf = _leaf(draws)
    hill = materials.add(_mix(leaf, light.sky, 0.35), VEGETATION)
    ground = _ground(draws, materials, leaf)
    walls = _walls(draws, materials, ground, leaf)
    things = () if is_empty else draw_things(draws, materials, ground, leaf, way, pace)
    hills = draws.uniform(0.03, 0.08), draws.uniform(0.01, 0.05), draws.uniform(0.6, 1.6), draws.uniform(0, 1)
    return Scene(ground, walls, light, things, sky, hill, hills, materials)


def _leaf(draws: Draws) -> Colour:
    bright = draws.uniform(0.65, 1.25)
    red, green, blue = draws.colour(-0.05, 0.05)
    return 0.24 * bright + red, 0.38 * bright + green, 0.15 * bright + blue


def _mix(a: Colour, b: Colour, share: float) -> Colour:
    return tuple(p + (q - p) * share for p, q in zip(a, b, strict=True))


def _light(draws: Draws) -> Light:
    bright, grey = draws.uniform(0.8, 1.15), draws.uniform(0, 0.8)
    clear = 0.52 * bright, 0.68 * bright, 0.90 * bright
    overcast = 0.78 * bright, 0.80 * bright, 0.82 * bright
    return Light(
        haze=draws.uniform(120, 500),
        gain=draws.uniform(0.75, 1.15),
        drift=draws.uniform(-0.01, 0.01),
        flicker=(draws.uniform(0, 0.03), draws.uniform(0.02, 0.12), draws.uniform(0, 1)),
        sky=_mix(clear, overcast, grey),
    )


def _ground(draws: Draws, materials: Materials, leaf: Colour) -> Ground:
    left, right = -draws.uniform(3.3, 5.0), draws.uniform(3.0, 5.0)
    left_walk, right_walk = left - draws.uniform(2.2, 4.0), right + draws.uniform(2.2, 4.0)
    grey, tint = draws.uniform(0.26, 0.42), draws.colour(-0.02, 0.02)
    road = tuple(grey + t for t in tint)
    step = draws.uniform(0.10, 0.22)
    red, green, blue = draws.colour(-0.03, 0.03)
    walk = grey + step + 0.04 + red, grey + step + green, grey + step - 0.03 + blue
    paint = draws.uniform(0.65, 0.9)
    start = draws.uniform(10, 60)
    return Ground(
        road=(left, right),
        walk=(left_walk, right_walk),
        crossing=(start, start + draws.uniform(5, 10)),
        materials=(
            materials.add(road, ROAD),
            materials.add(walk, SIDEWALK),
            materials.add(leaf, VEGETATION),
            materials.add((paint, paint, paint * 0.95), ROAD),
        ),
        slab=draws.uniform(0.8, 1.6),
    )


def _walls(draws: Draws, materials: Materials, ground: Ground, leaf: Colour) -> Walls:
    segments, green = 24, draws.uniform(0.1, 0.4)
    hedges, heights, paints = [], [], []
    for _ in range(2):
        hedge = tuple(draws.chance(green) for _ in range(segments))
        hedges.append(hedge)
        heights.append(tuple(_height(draws, is_hedge) for is_hedge in hedge))
        paints.append(
            tuple(
                materials.add(leaf, VEGETATION) if is_hedge else materials.add(_facade(draws), BUILDING)
                for is_hedge in hedge
            )
        )
    return Walls(
        x=(ground.walk[0] - draws.uniform(0, 1.5), ground.walk[1] + draws.uniform(0, 1.5)),
        segment=draws.uniform(7, 14),
        hedge=tuple(hedges),
        height=tuple(heights),
        materials=tuple(paints),
        window=(draws.uniform(1.8, 3.0), draws.uniform(2.8, 3.4)),
        light=(draws.uniform(-0.10, 0.06), draws.uniform(-0.10, 0.06)),
    )


def _height(draws: Draws, is_hedge: bool) -> float:
    if draws.chance(0.12):
        return 0.0  # a gap
    return draws.uniform(1.2, 4.0) if is_hedge else draws.uniform(5.0, 14.0)


def _facade(draws: Draws) -> Colour:
    bright = draws.uniform(0.6, 1.5)
    red, green, blue = draws.colour(-0.06, 0.06)
    return 0.46 * bright + red, 0.38 * bright + green, 0.33 * bright + blue
