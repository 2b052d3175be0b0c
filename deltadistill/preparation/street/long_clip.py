"""Renders a video of minutes, frame by frame: scenes, each with camera and traffic, by the light of a day."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import NamedTuple

import numpy as np

from deltadistill.preparation.street.background import draw_background
from deltadistill.preparation.street.camera import Lens
from deltadistill.preparation.street.canvas import Canvas
from deltadistill.preparation.street.draws import Draws, wave
from deltadistill.preparation.street.foreground import draw_foreground
from deltadistill.preparation.street.rides import CameraKind, Ride, draw_ride
from deltadistill.preparation.street.scene import draw_scene
from deltadistill.preparation.street.scene_parts import Light, Scene
from deltadistill.preparation.street.sensor import expose
from deltadistill.preparation.street.traffic import LIFE, Traffic

DARKEST = 0.35  # the light at night, of that at noon
_EVENING = (0.0, 0.10, 0.25)  # how much of red, green and blue is missing then


@dataclass(frozen=True)
class Course:
    """What a long video shows.

    camera: how it moves. scenes: so many streets take turns, each for `hold` frames, and go on where they
    were when they come back. day: frames from noon to noon; 0: the light stays.
    """

    camera: CameraKind
    scenes: int = 1
    hold: int = 300
    day: int = 0


class LongFrame(NamedTuple):
    """A picture uint8 (H, W, 3), RGB, and its label ids uint8 (H, W), Cityscapes'."""

    image: np.ndarray
    label_ids: np.ndarray


@dataclass(frozen=True)
class _Street:
    scene: Scene
    ride: Ride
    traffic: Traffic


def render_long(
    key: tuple[int, ...], course: Course, *, height: int, width: int, noise: float
) -> Iterator[LongFrame]:
    """The frames of the video named by `key`, in order, without an end; take as many as are wanted.

    Keeps of the past what is still in sight. The same arguments give the same bits on every machine
    (draws.py says how).
    """
    lens, grain = Lens(height, width), Draws(*key, 0)
    streets = [_street((*key, 1 + n), course) for n in range(course.scenes)]
    for frame in count():
        street, own_frame = _whose_turn(streets, course, frame)
        pose = street.ride.pose(own_frame)
        scene = street.traffic.at(own_frame)
        canvas = Canvas.blank(pose, lens.rays(pose))
        draw_background(canvas, scene)
        draw_foreground(canvas, scene, lens, 0)
        labels = np.array(scene.materials.labels, np.uint8)
        light = daylight(scene.light, frame, course.day)
        yield LongFrame(
            expose(canvas, scene.materials, light, frame, noise, grain), labels.take(canvas.material)
        )


def _street(key: tuple[int, ...], course: Course) -> _Street:
    scene = draw_scene(Draws(*key, 0), 0.0, 0.0, is_empty=True)
    scene = replace(scene, light=replace(scene.light, drift=0.0))  # which has no bound over minutes
    ride = draw_ride(Draws(*key, 1), course.camera, scene.ground)
    return _Street(scene, ride, Traffic((*key, 2), scene, ride))


def _whose_turn(streets: list[_Street], course: Course, frame: int) -> tuple[_Street, int]:
    """The street that a frame shows, and how old it is then: at first as old as its oldest passers-by."""
    turn, into = divmod(frame, course.hold)
    visit, number = divmod(turn, len(streets))
    return streets[number], LIFE + visit * course.hold + into


def daylight(light: Light, frame: int, day: int) -> Light:
    """The light at a frame of a day of so many frames, which begins at noon; 0: as it is.

    From 1 at noon to DARKEST at midnight, on a wave; redder the less there is.
    """
    if not day:
        return light
    shares = 0.5 - 0.5 * wave(frame / day + 0.25)  # of the night, from 0 to 1
    tint = tuple((1 - (1 - DARKEST) * shares) * (1 - lacking * shares) for lacking in _EVENING)
    return replace(light, tint=tint)
