"""The copy predictor: the network on key frames, its prediction repeated on the others."""

from collections.abc import Mapping

import torch
from torch import nn

from deltadistill.account.cost import NOTHING, FrameCosts
from deltadistill.forward.outputs import frame_outputs
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.predictor import MAIN, Predictor
from deltadistill.processes.group import device_of
from deltadistill.tasks.task import Predictions, Task, on_processor


class Copy(Predictor):
    """Predicts on key frames and repeats the prediction between (interleave)."""

    def __init__(self, network: nn.Module, task: Task):
        self._network = network
        self._device = device_of(network)
        self._task = task

    def begin(self, stream: StreamInfo) -> None:
        """See `Predictor`."""
        self._schedule = stream.schedule
        self._prediction: Predictions | None = None

    @torch.no_grad()
    def answer(self, frame: FrameBatch) -> Predictions:
        """See `Predictor`."""
        self.is_key_frame = self._schedule.is_due(frame.pictures)
        if self.is_key_frame:
            output = frame_outputs(self._network, frame.normalised.to(self._device))
            self._prediction = on_processor(self._task.predict(output, network=self._network))
        self._schedule.note(frame.pictures, is_key=self.is_key_frame)
        assert self._prediction is not None  # the first frame of a stream is a key frame
        return self._prediction

    def costs(self, networks: Mapping[str, FrameCosts]) -> FrameCosts:
        """Frames between key frames cost nothing."""
        return FrameCosts(key=networks[MAIN].key, delta=NOTHING)
