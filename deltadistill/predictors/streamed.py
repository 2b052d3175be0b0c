"""The streamed variant: teacher on key frames, students between (delta or feature distillation)."""

import torch
from torch import Tensor, nn

from deltadistill.blocks.stream import Stream
from deltadistill.forward.outputs import frame_outputs
from deltadistill.processes.group import device_of
from deltadistill.tasks.task import Predictions, Task, on_processor


class Streamed:
    """Runs a delta network as a stream."""

    uses_history = True

    def __init__(self, network: nn.Module, task: Task, *, period: int):
        self._stream = Stream(network, period=period, run=frame_outputs)
        self._task = task
        self._device = device_of(network)

    def reset(self) -> None:
        """Make the next frame a key frame."""
        self._stream.reset()

    @torch.no_grad()
    def predict(self, frame: Tensor) -> Predictions:
        """What the task says about each of the frames (N, 3, H, W)."""
        output = self._stream(frame.to(self._device))
        return on_processor(self._task.predict(output, network=self._stream.network))

    @staticmethod
    def amortised(key: float, delta: float, period: int) -> float:
        """Cost per frame: one key frame and period − 1 delta frames."""
        return (key + (period - 1) * delta) / period
