"""What the renderer knows of each pixel: how far, what material, how bright, and whose surface."""

from dataclasses import dataclass

import numpy as np

from deltadistill.preparation.street.camera import Pose, Rays

FAR = 2000.0  # ray length of the sky; walls and ground end long before
SKY_SURFACE, HILL_SURFACE, GROUND_SURFACE, FIRST_WALL = -1, -2, 0, -10


@dataclass(frozen=True)
class Canvas:
    """One frame while it is drawn; every array (H, W). Things hide what lies behind by `distance`.

    `distance` float32 in lengths of the pixel's ray; `material` uint8 index; `shade` float32, added to the
    material's colour; `surface` int16: thing number + 1, or a background surface (≤ 0).
    """

    pose: Pose
    rays: Rays
    distance: np.ndarray
    material: np.ndarray
    shade: np.ndarray
    surface: np.ndarray

    @classmethod
    def blank(cls, pose: Pose, rays: Rays) -> "Canvas":
        """A canvas at infinite distance."""
        shape = rays.dx.shape
        return cls(
            pose,
            rays,
            np.full(shape, np.float32(FAR)),
            np.zeros(shape, np.uint8),
            np.zeros(shape, np.float32),
            np.full(shape, SKY_SURFACE, np.int16),
        )

    def part(self, window: tuple[slice, slice]) -> "Canvas":
        """A view of a rectangle of pixels; what is painted there is painted here."""
        rays = self.rays
        return Canvas(
            self.pose,
            Rays(*(getattr(rays, name)[window] for name in Rays.__dataclass_fields__)),
            self.distance[window],
            self.material[window],
            self.shade[window],
            self.surface[window],
        )

    def paint(self, where: np.ndarray, *, distance, material, shade, surface) -> None:  # noqa: ANN001
        """Set the pixels of a mask; each value an array (H, W) or a number."""
        np.copyto(self.distance, distance, where=where, casting="unsafe")
        np.copyto(self.material, material, where=where, casting="unsafe")
        np.copyto(self.shade, shade, where=where, casting="unsafe")
        np.copyto(self.surface, surface, where=where, casting="unsafe")


def choose(where: np.ndarray, yes, no, dtype: type = np.float32) -> np.ndarray:  # noqa: ANN001
    """`np.where`, several times as fast on frames: no branch per pixel."""
    out = np.empty(where.shape, dtype)
    out[...] = no
    np.copyto(out, yes, where=where, casting="unsafe")
    return out
