"""What makes a frame a key frame whatever the schedule says: it does not go on from the frame before."""

from collections import deque
from statistics import median

import numpy as np

from deltadistill.video.shots import ShotDetector
from deltadistill.video.video_frame import VideoFrame

_LONG_STEP = 4.0  # median steps, as for data sets
_MEMORY = 25  # steps that make the median
_THIN = 160  # pixels a side are enough to see a cut


class KeyNeeds:
    """Fed with the frames of a video in order; says why a frame has to be a key frame.

    scene_cut: the threshold of shots.py, in (0, 1]; None: cuts are not looked for.
    """

    def __init__(self, *, scene_cut: float | None = 0.5):
        self._cuts = ShotDetector(scene_cut) if scene_cut is not None else None
        self._steps: deque[float] = deque(maxlen=_MEMORY)
        self._before: tuple[tuple[int, ...], float | None] | None = None

    def why(self, frame: VideoFrame) -> str | None:
        """The reason: "gap", "size", "time" or "scene cut"; None where there is none."""
        size = frame.pixels.shape[:2]
        before, self._before = self._before, (size, frame.seconds)
        cut = self._is_cut(frame.pixels)
        is_late = before is not None and self._is_long_step(before[1], frame.seconds)
        if frame.follows_gap:
            return "gap"
        if before is not None and before[0] != size:
            return "size"
        if is_late:
            return "time"
        return "scene cut" if cut else None

    def _is_cut(self, pixels: np.ndarray) -> bool:
        if self._cuts is None:
            return False
        step = max(1, min(pixels.shape[:2]) // _THIN)
        return self._cuts.begins_shot(np.ascontiguousarray(pixels[::step, ::step]))

    def _is_long_step(self, before: float | None, now: float | None) -> bool:
        if before is None or now is None:
            return False
        step = now - before
        usual = median(self._steps) if self._steps else step
        self._steps.append(step)
        return step > _LONG_STEP * usual or step < 0
