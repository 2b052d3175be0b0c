"""The per-frame predictor: the network in full on every frame."""

from collections.abc import Mapping

import torch
from torch import nn

from deltadistill.account.cost import FrameCosts
from deltadistill.forward.outputs import frame_outputs
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.predictor import MAIN, Predictor
from deltadistill.processes.group import device_of
from deltadistill.tasks.task import Predictions, Task, on_processor


class PerFrame(Predictor):
    """Runs the network on every frame; a delta network without its students."""

    uses_history = False

    def __init__(self, network: nn.Module, task: Task):
        self._network = network
        self._device = device_of(network)
        self._task = task

    def begin(self, stream: StreamInfo) -> None:
        """Nothing is remembered."""

    @torch.no_grad()
    def answer(self, frame: FrameBatch) -> Predictions:
        """See `Predictor`."""
        output = frame_outputs(self._network, frame.normalised.to(self._device))
        return on_processor(self._task.predict(output, network=self._network))

    def costs(self, networks: Mapping[str, FrameCosts]) -> FrameCosts:
        """Every frame costs what a key frame does."""
        return FrameCosts(key=networks[MAIN].key, delta=networks[MAIN].key)
