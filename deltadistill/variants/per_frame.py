"""The per-frame variant: the network in full on every frame."""

import torch
from torch import Tensor, nn

from deltadistill.processes import device_of
from deltadistill.tasks.segmentation import Segmentation


class PerFrame:
    """Runs the network on every frame; a delta network without its students."""

    uses_history = False

    def __init__(self, network: nn.Module, task: Segmentation, *, period: int):
        self._network = network
        self._device = device_of(network)
        self._task = task

    def reset(self) -> None:
        """Nothing is remembered."""

    @torch.no_grad()
    def predict(self, frame: Tensor) -> Tensor:
        """Labels (N, H, W), uint8, for frame (N, 3, H, W)."""
        return self._task.predict(self._network(frame.to(self._device))).cpu()

    @staticmethod
    def amortised(key: float, delta: float, period: int) -> float:
        """Cost per frame: always a key frame's."""
        return key
