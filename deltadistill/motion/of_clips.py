"""Motion of training clips: where every later frame's pixels were on the key frame, by DIS flow."""

import numpy as np
import torch
from torch import Tensor

from deltadistill.motion.dis import Preset
from deltadistill.motion.from_key import ByFlow


class ClipMotion:
    """Makes the motion of clips whose first frame is the key frame, with the photometric gate.

    preset, longest: of DIS, as `motion.from_key.ByFlow` has them.
    """

    def __init__(self, preset: Preset = "medium", longest: int = 320):
        self._flow = ByFlow(preset=preset, longest=longest)

    def __call__(self, clips: Tensor) -> Tensor:
        """Backward motion since the key frame, float32 (N, T − 1, 2, h, w): x_key = x + motion.

        clips: (N, T, 3, H, W), uint8, or floats of any scale, whose range over all clips becomes grey levels.
        """
        pictures = _levels(clips)
        return torch.stack([self._of_one(clip) for clip in pictures]).to(clips.device)

    def _of_one(self, clip: Tensor) -> Tensor:
        self._flow.see(clip[0], None, is_key=True)
        flows = []
        for picture in clip[1:]:
            self._flow.see(picture, None, is_key=False)
            flows.append(self._flow.back())
        return torch.from_numpy(np.stack(flows)).permute(0, 3, 1, 2)


def _levels(clips: Tensor) -> Tensor:
    if clips.dim() != 5 or clips.shape[2] != 3:
        raise ValueError(
            f"motion is found in clips of colour pictures, (N, T, 3, H, W); got {tuple(clips.shape)}"
        )
    if clips.dtype == torch.uint8:
        return clips.cpu()
    least, most = (float(value) for value in clips.detach().aminmax())
    return ((clips.detach() - least) * (255 / max(most - least, 1e-12))).round().byte().cpu()
