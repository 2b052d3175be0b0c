"""Who and what is in a street over minutes: drawn when it comes into sight, and then forgotten."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import floor

from deltadistill.preparation.street.draws import Draws
from deltadistill.preparation.street.inhabitants import car_at, person_at, pole_or_sign_at, tree_at
from deltadistill.preparation.street.rides import Ride
from deltadistill.preparation.street.scene_parts import Materials, Scene, Thing

STRETCH, STRETCHES_AHEAD = (
    24.0,
    3,
)  # metres with furniture of their own; so many more are in sight
INTERVAL, LIFE = 40, 400  # frames between arrivals, and until who arrived is gone
_MOST_MATERIALS = 256  # a canvas stores them as bytes


@dataclass
class _Group:
    """Things that were drawn together, whose material indices count from their own first."""

    things: list[Thing] = field(default_factory=list)
    materials: Materials = field(default_factory=Materials)


class Traffic:
    """All things to be seen of a street at a frame, the same whenever it is asked.

    Poles, signs, trees and parked cars belong to stretches of the street; cars and persons that pass, to
    intervals of time. key: of the draws.
    """

    def __init__(self, key: tuple[int, ...], scene: Scene, ride: Ride):
        self._key, self._scene, self._ride = key, scene, ride
        self._standing: Callable[[int], _Group] = lru_cache(maxsize=16)(self._draw_standing)
        self._passing: Callable[[int], _Group] = lru_cache(maxsize=16)(self._draw_passing)

    def at(self, frame: int) -> Scene:
        """The street with what is in it at a frame; every thing is where it is then."""
        begin = floor(self._ride.pose(frame).z / STRETCH)
        groups = [(self._standing(begin + n), 0) for n in range(STRETCHES_AHEAD + 1)]
        now = frame // INTERVAL
        intervals = range(max(now - LIFE // INTERVAL + 1, 0), now + 1)
        laps = self._ride.lap
        groups += [
            (self._passing(n), frame - n * INTERVAL) for n in intervals if laps(n * INTERVAL) == laps(frame)
        ]
        return self._joined(groups)

    def _joined(self, groups: list[tuple[_Group, int]]) -> Scene:
        materials, things = Materials(), []
        materials.colours += self._scene.materials.colours
        materials.labels += self._scene.materials.labels
        for group, age in groups:
            first = len(materials.labels)
            materials.colours += group.materials.colours
            materials.labels += group.materials.labels
            things += [_aged(thing, age, first) for thing in group.things]
        assert len(materials.labels) <= _MOST_MATERIALS, len(materials.labels)
        return replace(self._scene, things=tuple(things), materials=materials)

    def _draw_standing(self, stretch: int) -> _Group:
        draws, made = Draws(*self._key, 0, stretch), _Group()
        left, right = self._scene.ground.road
        for _ in range(2):
            aside = draws.uniform(0.3, 0.9)
            x = left - aside if draws.chance(0.5) else right + aside
            made.things.append(pole_or_sign_at(draws, made.materials, (x, _within(draws, stretch))))
        if draws.chance(0.7):
            side = draws.uniform(0.8, 2.2)
            x = left - side if draws.chance(0.6) else right + side
            leaf = self._scene.materials.colours[self._scene.ground.materials[2]]
            made.things.append(tree_at(draws, made.materials, leaf, (x, _within(draws, stretch))))
        if draws.chance(0.5):
            place = left + 0.9 if draws.chance(0.5) else right - 0.9, _within(draws, stretch)
            made.things.append(car_at(draws, made.materials, place, (0.0, 0.0), _car_size(draws)))
        return made

    def _draw_passing(self, interval: int) -> _Group:
        draws, made = Draws(*self._key, 1, interval), _Group()
        z = self._ride.pose(interval * INTERVAL).z
        if draws.chance(0.8):
            made.things.append(self._car(draws, made.materials, z))
        if draws.chance(0.7):
            made.things.append(self._crossing_person(draws, made.materials, z))
        if draws.chance(0.6):
            made.things.append(self._walking_person(draws, made.materials, z))
        return made

    def _car(self, draws: Draws, materials: Materials, z: float) -> Thing:
        left, right = self._scene.ground.road
        pace = self._ride.pace
        if draws.chance(0.5):  # comes towards us
            place = draws.uniform(left + 1.0, left + 1.5), z + draws.uniform(45, 70)
            velocity = 0.0, -draws.uniform(0.25, 0.6)
        elif self._ride.x > right:  # from behind, past us
            place = draws.uniform(0.9, right - 1.0), z - 6
            velocity = 0.0, pace + draws.uniform(0.2, 0.5)
        else:  # is before us in our lane, and faster
            place = draws.uniform(0.9, right - 1.0), z + draws.uniform(35, 60)
            velocity = 0.0, pace + draws.uniform(0.0, 0.1)
        return car_at(draws, materials, place, velocity, _car_size(draws))

    def _crossing_person(self, draws: Draws, materials: Materials, z: float) -> Thing:
        """Someone who is on the road when the camera is near, two seconds and more after the start."""
        left, right = self._scene.ground.road
        pace = draws.uniform(0.08, 0.15)
        x, velocity = (left - 1.5, pace) if draws.chance(0.5) else (right + 1.5, -pace)
        return person_at(
            draws, materials, (x, z + 80 * self._ride.pace + draws.uniform(6, 14)), (velocity, 0.0)
        )

    def _walking_person(self, draws: Draws, materials: Materials, z: float) -> Thing:
        """Someone who comes towards the camera on one of the sidewalks."""
        left, right = self._scene.ground.road
        aside = draws.uniform(0.3, 1.0)
        x = left - aside if draws.chance(0.6) else right + aside
        return person_at(draws, materials, (x, z + draws.uniform(35, 50)), (0.0, -draws.uniform(0.08, 0.16)))


def _within(draws: Draws, stretch: int) -> float:
    return stretch * STRETCH + draws.uniform(0, STRETCH)


def _car_size(draws: Draws) -> tuple[float, float, float]:
    return draws.uniform(1.7, 2.0), draws.uniform(1.4, 2.0), draws.uniform(3.6, 4.8)


def _aged(thing: Thing, age: int, first_material: int) -> Thing:
    x, z = thing.position(age)
    materials = tuple(first_material + material for material in thing.materials)
    return replace(thing, x=x, z=z, velocity=(0.0, 0.0), materials=materials)
