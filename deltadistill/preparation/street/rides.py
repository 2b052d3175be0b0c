"""Cameras that look at a street for minutes: one on a mast, one that is carried along, one that drives."""

from dataclasses import dataclass
from math import floor
from typing import Literal

from deltadistill.preparation.street.camera import Pose
from deltadistill.preparation.street.draws import Draws, wave
from deltadistill.preparation.street.scene_parts import Ground

CameraKind = Literal["fixed", "walking", "driving"]
ROUTE = 600.0  # metres; then the street begins again, within the reach of the texture's coordinates
_PACES = {"fixed": (0.0, 0.0), "walking": (0.10, 0.16), "driving": (0.40, 0.60)}  # metres per frame
_STEADY, _CARRIED = (0.0, 0.0), (0.004, 0.010)  # how far a camera nods, as the sine of its pitch


@dataclass(frozen=True)
class Ride:
    """A camera whose pose at any frame is known without those before.

    pace: metres per frame. x: where across the street. yaw, pitch: sines of its mean direction. turns, nods:
    amplitude, swings per frame and start of its looking around and of its steps or the road's bumps.
    """

    pace: float
    x: float
    yaw: float
    pitch: float
    turns: tuple[float, float, float]
    nods: tuple[float, float, float]

    def travelled(self, frame: int) -> float:
        """Metres since frame 0."""
        return self.pace * frame

    def lap(self, frame: int) -> int:
        """How often the street has begun again."""
        return floor(self.travelled(frame) / ROUTE)

    def pose(self, frame: int) -> Pose:
        """Where the camera is at a frame."""
        return Pose(
            x=self.x,
            z=self.travelled(frame) - ROUTE * self.lap(frame),
            sin_yaw=self.yaw + _swing(self.turns, frame),
            sin_pitch=self.pitch + _swing(self.nods, frame),
        )


def draw_ride(draws: Draws, kind: CameraKind, ground: Ground) -> Ride:
    """A ride of its kind: on the mast and on foot from the right sidewalk, driving in the right lane."""
    drives, stands = kind == "driving", kind == "fixed"
    aside = draws.uniform(1.2, 1.6)
    look = draws.uniform(-0.30, -0.15), draws.uniform(0.02, 0.08)
    swings = draws.uniform(0.05, 0.15), draws.uniform(0.002, 0.006), draws.uniform(0, 1)
    nods = draws.uniform(*(_STEADY if stands else _CARRIED)), draws.uniform(0.05, 0.2), draws.uniform(0, 1)
    return Ride(
        pace=draws.uniform(*_PACES[kind]),
        x=aside if drives else ground.road[1] + aside,
        yaw=0.0 if drives else look[0],
        pitch=0.0 if drives else look[1],
        turns=(0.0, 0.0, 0.0) if stands else swings,
        nods=nods,
    )


def _swing(swing: tuple[float, float, float], frame: int) -> float:
    amplitude, rate, start = swing
    return amplitude * wave(rate * frame + start)
