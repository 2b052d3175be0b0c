"""The per-frame variant: the network in full on every frame."""

import torch
from torch import Tensor, nn

from deltadistill.forward.outputs import frame_outputs
from deltadistill.processes.group import device_of
from deltadistill.tasks.task import Predictions, Task, on_processor


class PerFrame:
    """Runs the network on every frame; a delta network without its students."""

    uses_history = False

    def __init__(self, network: nn.Module, task: Task, *, period: int):
        self._network = network
        self._device = device_of(network)
        self._task = task

    def reset(self) -> None:
        """Nothing is remembered."""

    @torch.no_grad()
    def predict(self, frame: Tensor) -> Predictions:
        """What the task says about each of the frames (N, 3, H, W)."""
        output = frame_outputs(self._network, frame.to(self._device))
        return on_processor(self._task.predict(output, network=self._network))

    @staticmethod
    def amortised(key: float, delta: float, period: int) -> float:
        """Cost per frame: always a key frame's."""
        return key
