"""DIS flow between a key picture and the present one, where it explains them; numpy and OpenCV alone."""

import numpy as np

from deltadistill.motion.dis import Preset, dis_flow, grey
from deltadistill.motion.moved import explaining


class SinceKey:
    """One stream's motion since its key frame, in grey pictures with no side longer than `longest` pixels.

    Flows are float32 (h, w, 2), across and down; 0 where they do not bring the one picture nearer to the
    other (the photometric gate).
    """

    def __init__(self, *, preset: Preset, longest: int):
        self.dis = dis_flow(preset)
        self._longest = longest

    def see(self, picture: np.ndarray, *, is_key: bool) -> None:
        """Look at the next frame, uint8 (H, W, 3), red first."""
        self._now = grey(picture, self._longest)
        if is_key:
            self._key = self._now

    def back(self) -> np.ndarray:
        """Where each pixel of the present frame was in the key frame: x_key = x + flow."""
        return self._flow(self._now, self._key)

    def forth(self) -> np.ndarray:
        """Where each pixel of the key frame has gone: x = x_key + flow."""
        return self._flow(self._key, self._now)

    def _flow(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        return explaining(self.dis.calc(source, target, None), source, target)
