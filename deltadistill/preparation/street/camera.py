"""The moving camera: where it is in each frame, the ray of each pixel, and where a point falls in the image.

Axes: x right, y down, z along the street; metres. Focal length in pixels. No angle is ever formed: yaw and
pitch are given by their sines, and cosines follow by a square root.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from deltadistill.preparation.street.draws import Draws, wave

EYE = 1.5  # metres above the ground
FOCAL = 0.58  # of the image's width


@dataclass(frozen=True)
class Pose:
    """The camera at one frame."""

    x: float
    z: float
    sin_yaw: float
    sin_pitch: float


@dataclass(frozen=True)
class Rays:
    """Direction of each pixel's ray, float32 (H, W), not normalised, and their inverses; `dz` is positive."""

    dx: np.ndarray
    dy: np.ndarray
    dz: np.ndarray
    inverse_x: np.ndarray
    inverse_y: np.ndarray
    inverse_z: np.ndarray


@dataclass(frozen=True)
class Lens:
    """Image size in pixels, focal length and principal point."""

    height: int
    width: int

    @property
    def focal(self) -> float:
        """Focal length in pixels."""
        return FOCAL * self.width

    @property
    def centre(self) -> tuple[float, float]:
        """Principal point (column, row); the horizon lies a little above the middle."""
        return self.width / 2 - 0.5, 0.43 * self.height

    def rays(self, pose: Pose) -> Rays:
        """The rays of all pixels from a pose."""
        u0, v0 = self.centre
        u = ((np.arange(self.width, dtype=np.float32) - u0) / self.focal)[None, :]
        v = ((np.arange(self.height, dtype=np.float32) - v0) / self.focal)[:, None]
        sin_yaw, sin_pitch = pose.sin_yaw, pose.sin_pitch
        cos_yaw, cos_pitch = sqrt(1 - sin_yaw * sin_yaw), sqrt(1 - sin_pitch * sin_pitch)
        ahead = cos_pitch - v * sin_pitch
        dx = u * cos_yaw + ahead * sin_yaw
        dz = ahead * cos_yaw - u * sin_yaw
        dy = np.broadcast_to(v * cos_pitch + sin_pitch, dx.shape)
        one = np.float32(1)
        return Rays(dx, dy, dz, one / _away_from_zero(dx), one / _away_from_zero(dy), one / dz)

    def project(self, pose: Pose, x, y, z) -> tuple:  # noqa: ANN001 - arrays or floats alike
        """Column, row and depth of points (metres, world); depth is cut off at 0.2 m."""
        u0, v0 = self.centre
        sin_yaw, sin_pitch = pose.sin_yaw, pose.sin_pitch
        cos_yaw, cos_pitch = sqrt(1 - sin_yaw * sin_yaw), sqrt(1 - sin_pitch * sin_pitch)
        x, z = x - pose.x, z - pose.z
        right, ahead = x * cos_yaw - z * sin_yaw, x * sin_yaw + z * cos_yaw
        down, depth = y * cos_pitch - ahead * sin_pitch, y * sin_pitch + ahead * cos_pitch
        depth = np.maximum(depth, np.float32(0.2))
        return right / depth * self.focal + u0, down / depth * self.focal + v0, depth


def _away_from_zero(values: np.ndarray) -> np.ndarray:
    tiny = np.float32(1e-6)
    return np.where((values < tiny) & (values > -tiny), tiny, values)


def drive(draws: Draws, frames: int, speed: tuple[float, float]) -> tuple[Pose, ...]:
    """A ride along the street: a speed in metres per frame, slow turns, swaying, and jitter of the mount."""
    pace, change = draws.uniform(*speed), draws.uniform(-0.006, 0.006)
    x, drift = draws.uniform(-0.4, 0.8), draws.uniform(-0.015, 0.015)
    yaw, turn = draws.uniform(-0.10, 0.10), draws.uniform(-0.0025, 0.0025)
    sway, sway_rate, sway_start = draws.uniform(0, 0.010), draws.uniform(0.01, 0.04), draws.uniform(0, 1)
    pitch, nod = draws.uniform(-0.03, 0.03), draws.uniform(0.001, 0.005)
    nod_rate, nod_start = draws.uniform(0.02, 0.07), draws.uniform(0, 1)
    poses, z = [], 0.0
    for t in range(frames):
        poses.append(
            Pose(
                x=x + drift * t,
                z=z,
                sin_yaw=yaw
                + turn * t
                + sway * wave(sway_rate * t + sway_start)
                + draws.uniform(-0.0006, 0.0006),
                sin_pitch=pitch + nod * wave(nod_rate * t + nod_start) + draws.uniform(-0.0008, 0.0008),
            )
        )
        z += max(pace + change * t, 0.5 * speed[0])
    return tuple(poses)
