"""The streamed predictor: teacher on key frames, students between (delta or feature distillation)."""

from collections.abc import Mapping

import torch
from torch import nn

from deltadistill.account.cost import FrameCosts
from deltadistill.blocks.schedules import OnDemand
from deltadistill.blocks.stream import Stream
from deltadistill.forward.outputs import frame_outputs
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.predictor import MAIN, Predictor
from deltadistill.processes.group import device_of
from deltadistill.tasks.task import Predictions, Task, on_processor


class Streamed(Predictor):
    """Runs a delta network as a stream."""

    has_delta_frames = True

    def __init__(self, network: nn.Module, task: Task):
        # the schedule sees pictures, the stream what is made of them: it is told
        self._stream = Stream(network, schedule=OnDemand(), run=frame_outputs)
        self._task = task
        self._device = device_of(network)

    @property
    def is_key_frame(self) -> bool:  # type: ignore[override]  # the stream's, only read here
        """Whether the last frame was a key frame."""
        return self._stream.is_key_frame

    @property
    def state_bytes(self) -> int:  # type: ignore[override]  # the stream's, only read here
        """Memory that the stream keeps between frames, bytes."""
        return self._stream.state_bytes

    def begin(self, stream: StreamInfo) -> None:
        """See `Predictor`."""
        self._schedule = stream.schedule
        self._stream.reset()

    @torch.no_grad()
    def answer(self, frame: FrameBatch) -> Predictions:
        """See `Predictor`."""
        if self._schedule.is_due(frame.pictures):
            self._stream.refresh()
        motion = None if frame.motion is None else frame.motion.to(self._device)
        output = self._stream(frame.normalised.to(self._device), motion=motion)
        self._schedule.note(frame.pictures, is_key=self._stream.is_key_frame)
        return on_processor(self._task.predict(output, network=self._stream.network))

    def costs(self, networks: Mapping[str, FrameCosts]) -> FrameCosts:
        """Those of the delta network."""
        return networks[MAIN]
