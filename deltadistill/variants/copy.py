"""The copy variant: the network on key frames, its prediction repeated on the others."""

import torch
from torch import Tensor, nn

from deltadistill.processes import device_of
from deltadistill.tasks.segmentation import Segmentation


class Copy:
    """Predicts every `period` frames and repeats the prediction between (interleave)."""

    uses_history = True

    def __init__(self, network: nn.Module, task: Segmentation, *, period: int):
        self._network = network
        self._device = device_of(network)
        self._task = task
        self._period = period
        self.reset()

    def reset(self) -> None:
        """Make the next frame a key frame."""
        self._frames_since_key = 0
        self._prediction: Tensor | None = None

    @torch.no_grad()
    def predict(self, frame: Tensor) -> Tensor:
        """Labels (N, H, W), uint8, for frame (N, 3, H, W)."""
        if self._frames_since_key == 0:
            self._prediction = self._task.predict(self._network(frame.to(self._device))).cpu()
        self._frames_since_key = (self._frames_since_key + 1) % self._period
        return self._prediction

    @staticmethod
    def amortised(key: float, delta: float, period: int) -> float:
        """Cost per frame: a key frame's over the period; the others cost nothing."""
        return key / period
