"""From a drawn canvas to the camera's picture: colours, haze, drifting light, soft lens, noise, 8 bits."""

import numpy as np

from deltadistill.preparation.street.canvas import Canvas
from deltadistill.preparation.street.draws import Draws, wave
from deltadistill.preparation.street.scene_parts import Light, Materials

_SOFTNESS = 0.15  # share that each neighbour takes in the lens's blur


def expose(
    canvas: Canvas, materials: Materials, light: Light, frame: int, noise: float, draws: Draws
) -> np.ndarray:
    """The picture, uint8 (H, W, 3) RGB; `noise` is a standard deviation on the scale 0..1."""
    swing, rate, start = light.flicker
    gain = light.gain * (1 + light.drift * frame + swing * wave(rate * frame + start))
    fog = canvas.distance / (canvas.distance + light.haze)
    colours = np.array(materials.colours, np.float32)
    height, width = canvas.distance.shape
    picture = np.empty((height, width, 3), np.uint8)
    grain = draws.bell((3, height, width)) if noise > 0 else None
    for channel in range(3):
        plane = colours[:, channel].take(canvas.material, mode="clip") + canvas.shade
        plane += (light.sky[channel] - plane) * fog
        plane = _soften(plane)
        plane *= np.float32(255 * gain * light.tint[channel])
        if grain is not None:
            plane += grain[channel] * np.float32(255 * noise)
        np.rint(np.clip(plane, 0, 255, out=plane), out=plane)
        picture[..., channel] = plane
    return picture


def _soften(plane: np.ndarray) -> np.ndarray:
    """A 3×3 blur, separable, edges repeated."""
    side, middle = np.float32(_SOFTNESS), np.float32(1 - 2 * _SOFTNESS)
    soft = plane * middle
    soft[1:-1] += (plane[:-2] + plane[2:]) * side
    soft[0] += (plane[0] + plane[1]) * side
    soft[-1] += (plane[-1] + plane[-2]) * side
    out = soft * middle
    out[:, 1:-1] += (soft[:, :-2] + soft[:, 2:]) * side
    out[:, 0] += (soft[:, 0] + soft[:, 1]) * side
    out[:, -1] += (soft[:, -1] + soft[:, -2]) * side
    return out
