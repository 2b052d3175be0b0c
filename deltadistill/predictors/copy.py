"""The copy variant: the network on key frames, its prediction repeated on the others."""

import torch
from torch import Tensor, nn

from deltadistill.forward.outputs import frame_outputs
from deltadistill.processes.group import device_of
from deltadistill.tasks.task import Predictions, Task, on_processor


class Copy:
    """Predicts every `period` frames and repeats the prediction between (interleave)."""

    uses_history = True

    def __init__(self, network: nn.Module, task: Task, *, period: int):
        self._network = network
        self._device = device_of(network)
        self._task = task
        self._period = period
        self.reset()

    def reset(self) -> None:
        """Make the next frame a key frame."""
        self._frames_since_key = 0
        self._prediction: Predictions | None = None

    @torch.no_grad()
    def predict(self, frame: Tensor) -> Predictions:
        """What the task says about each of the frames (N, 3, H, W)."""
        if self._frames_since_key == 0:
            output = frame_outputs(self._network, frame.to(self._device))
            self._prediction = on_processor(self._task.predict(output, network=self._network))
        self._frames_since_key = (self._frames_since_key + 1) % self._period
        return self._prediction

    @staticmethod
    def amortised(key: float, delta: float, period: int) -> float:
        """Cost per frame: a key frame's over the period; the others cost nothing."""
        return key / period
