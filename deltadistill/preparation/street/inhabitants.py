"""Who and what stands and moves in a street: cars, persons, poles, signs and trees."""

from deltadistill.preparation.street.draws import Draws
from deltadistill.preparation.street.scene_parts import (
    CAR,
    PERSON,
    POLE,
    SIGN,
    VEGETATION,
    Colour,
    Ground,
    Materials,
    Thing,
)


def draw_things(
    draws: Draws, materials: Materials, ground: Ground, leaf: Colour, way: float, pace: float
) -> tuple[Thing, ...]:
    """All things of a clip whose camera travels `way` metres at `pace` metres per frame.

    Nothing is put where it would stay too small to be seen: the sizes on the image are what the difficulty of
    the data set hangs on.
    """
    cars = [_car(draws, materials, ground, way, pace) for _ in range(draws.integer(3, 7))]
    persons = [_person(draws, materials, ground, way) for _ in range(draws.integer(4, 9))]
    things = cars + [person for person in persons if not any(_inside(person, car) for car in cars)]
    things += [_pole_or_sign(draws, materials, ground, way) for _ in range(draws.integer(3, 7))]
    things += [_tree(draws, materials, ground, leaf, way) for _ in range(draws.integer(1, 5))]
    return tuple(things)


def _inside(person: Thing, car: Thing) -> bool:
    """Whether a person would stand in a car at the start."""
    aside, ahead = abs(person.x - car.x), abs(person.z - car.z)
    return aside < car.size[0] / 2 + 0.4 and ahead < car.size[2] / 2 + 0.2


def _car(draws: Draws, materials: Materials, ground: Ground, way: float, pace: float) -> Thing:
    left, right = ground.road
    width, height, length = draws.uniform(1.7, 2.0), draws.uniform(1.4, 2.0), draws.uniform(3.6, 4.8)
    course = draws.uniform(0, 1)
    z = draws.uniform(7, 25) + draws.uniform(0, 0.5) * way
    if course < 0.22:  # crosses
        x, velocity = (
            draws.uniform(left - 1, right + 1),
            (draws.pick((-1, 1)) * draws.uniform(0.04, 0.2), 0.0),
        )
        width, length, z = length, width, z + 0.5 * way
    elif course < 0.45:  # comes towards us
        x, velocity = draws.uniform(left + 1, left + 1.4), (0.0, -draws.uniform(0.04, 0.25))
        z += 6
    elif course < 0.70:  # drives ahead
        x, velocity = (
            draws.uniform(0.8, right - 1),
            (draws.uniform(-0.01, 0.01), pace + draws.uniform(-0.08, 0.10)),
        )
    else:  # is parked
        x, velocity = draws.pick((left + 0.9, right - 0.9)), (0.0, 0.0)
    return car_at(draws, materials, (x, z), velocity, (width, height, length))


def car_at(
    draws: Draws,
    materials: Materials,
    place: tuple[float, float],
    velocity: tuple[float, float],
    size: tuple[float, float, float],
) -> Thing:
    """A car of any paint at (x, z)."""
    paint = draws.colour(0.05, 0.95) if draws.chance(0.55) else (draws.uniform(0.08, 0.9),) * 3
    glass = draws.uniform(0.08, 0.28)
    parts = (
        paint,
        (glass, glass * 1.1, glass * 1.25),
        (0.05, 0.05, 0.05),
        (0.8, draws.uniform(0.1, 0.7), 0.1),
    )
    return Thing(
        "car", *place, velocity, size,
        tuple(materials.add(part, CAR) for part in parts), draws.uniform(0, 50),
    )  # fmt: skip


def _person(draws: Draws, materials: Materials, ground: Ground, way: float) -> Thing:
    left, right = ground.road
    x = (
        draws.uniform(left - 2.0, left - 0.3)
        if draws.chance(0.5)
        else draws.uniform(right + 0.3, right + 2.0)
    )
    velocity = draws.uniform(-0.01, 0.01), draws.uniform(-0.04, 0.04)
    z = draws.uniform(5, 11) + draws.uniform(0, 0.9) * way
    if draws.chance(0.4):  # crosses the street
        x, velocity = draws.uniform(left, right), (draws.pick((-1, 1)) * draws.uniform(0.02, 0.06), 0.0)
        z = draws.uniform(3.5, 9) + way  # never under the wheels
    return person_at(draws, materials, (x, z), velocity)


def person_at(
    draws: Draws, materials: Materials, place: tuple[float, float], velocity: tuple[float, float]
) -> Thing:
    """A person of any looks at (x, z)."""
    size = draws.uniform(0.75, 1.0), draws.uniform(1.65, 2.0), 0.0
    tan = draws.uniform(0.4, 1.1)
    parts = (0.75 * tan, 0.55 * tan, 0.42 * tan), draws.colour(0.05, 0.9), draws.colour(0.05, 0.55)
    materials_of_parts = tuple(materials.add(part, PERSON) for part in parts)
    return Thing("person", *place, velocity, size, materials_of_parts, draws.uniform(0, 50))


def _pole_or_sign(draws: Draws, materials: Materials, ground: Ground, way: float) -> Thing:
    left, right = ground.road
    x = left - draws.uniform(0.3, 1.0) if draws.chance(0.5) else right + draws.uniform(0.3, 1.0)
    return pole_or_sign_at(draws, materials, (x, draws.uniform(6, 14) + draws.uniform(0, 0.9) * way))


def pole_or_sign_at(draws: Draws, materials: Materials, place: tuple[float, float]) -> Thing:
    """A pole, or a sign on one, at (x, z)."""
    grey = (draws.uniform(0.2, 0.7),) * 3
    if draws.chance(0.45):
        size = draws.uniform(0.42, 0.6), draws.uniform(3.5, 6.5), 0.0
        return Thing("pole", *place, (0.0, 0.0), size, (materials.add(grey, POLE),), draws.uniform(0, 50))
    size = draws.uniform(1.1, 1.6), draws.uniform(2.7, 3.6), 0.0
    bright = draws.colour(0.55, 1.0), draws.colour(0.05, 0.9)
    parts = (materials.add(grey, POLE), *(materials.add(colour, SIGN) for colour in bright))
    return Thing("sign", *place, (0.0, 0.0), size, parts, draws.uniform(0, 50))


def _tree(draws: Draws, materials: Materials, ground: Ground, leaf: Colour, way: float) -> Thing:
    side = draws.uniform(0.8, 2.2)
    x = ground.road[0] - side if draws.chance(0.5) else ground.road[1] + side
    return tree_at(draws, materials, leaf, (x, draws.uniform(9, 30) + draws.uniform(0, 1) * way))


def tree_at(draws: Draws, materials: Materials, leaf: Colour, place: tuple[float, float]) -> Thing:
    """A tree at (x, z)."""
    bright = draws.uniform(0.75, 1.25)
    parts = (0.30, 0.22, 0.15), tuple(channel * bright for channel in leaf)
    size = draws.uniform(2.4, 4.5), draws.uniform(4.5, 7.5), 0.0
    return Thing(
        "tree", *place, (0.0, 0.0), size,
        tuple(materials.add(part, VEGETATION) for part in parts), draws.uniform(0, 50),
    )  # fmt: skip
