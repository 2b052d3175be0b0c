"""Motion of a runner's frames since their key frames, side by side; needs OpenCV."""

import numpy as np

from deltadistill.motion.cells import CellMotion
from deltadistill.motion.since_key import SinceKey
from deltadistill.runtime.map_motion import MapMotion
from deltadistill.runtime.moving_maps import Motions


class KeyMotion:
    """See the module; for one runner, as it holds the key frame's pictures."""

    def __init__(self, form: MapMotion):
        self._form = form
        self._streams: list[SinceKey] = []

    def see(self, frames: np.ndarray, *, is_key: bool) -> Motions:
        """Look at the next frames, uint8 (N, h, w, 3): their motion back to the key frames."""
        if is_key:
            self._begin(frames)
            return ()
        return self._since(frames)

    def _begin(self, frames: np.ndarray) -> None:
        flow = self._form.flow
        self._streams += [
            SinceKey(preset=flow.preset, longest=flow.side) for _ in range(len(self._streams), len(frames))
        ]
        for stream, frame in zip(self._streams, frames, strict=False):
            stream.see(frame, is_key=True)

    def _since(self, frames: np.ndarray) -> Motions:
        flows = []
        for stream, frame in zip(self._streams, frames, strict=False):
            stream.see(frame, is_key=False)
            flows.append(stream.back())
        if not any(flow.any() for flow in flows):
            return ()
        return tuple(CellMotion(flow, least=self._form.least) for flow in flows)
