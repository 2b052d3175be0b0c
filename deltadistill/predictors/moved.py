"""The moved predictor: the network on key frames, its labels, boxes or maps moved along with the picture."""

from collections.abc import Mapping

import torch
from torch import nn

from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.forward.outputs import frame_outputs
from deltadistill.motion.dis import Preset
from deltadistill.motion.flow_macs import BILINEAR
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.motions import Motions
from deltadistill.predictors.moved_answers import elements, moved_answers
from deltadistill.predictors.predictor import MAIN, Predictor
from deltadistill.processes.group import device_of
from deltadistill.tasks.task import Predictions, Task, on_processor


class Moved(Predictor):
    """Predicts on key frames; between, every part of the prediction goes where its surface has gone.

    motion: flow (DIS between the key picture and the present one), vectors (of the video's file) or encoded
    (of an H.264 encoder here), all with the photometric gate (motion.from_key). preset, longest: of DIS.
    """

    works_on_predictions = True

    def __init__(
        self,
        network: nn.Module,
        task: Task,
        *,
        motion: str = "flow",
        preset: Preset = "fast",
        longest: int = 320,
    ):
        self._network = network
        self._device = device_of(network)
        self._task = task
        self._motions = Motions(motion, preset=preset, longest=longest)
        self._elements = 0  # of a moved map, per frame; known once there is an answer

    def begin(self, stream: StreamInfo) -> None:
        """See `Predictor`."""
        self._schedule, self._size = stream.schedule, stream.size
        self._motions.begin(stream.streams)
        self._prediction: Predictions | None = None

    @torch.no_grad()
    def answer(self, frame: FrameBatch) -> Predictions:
        """See `Predictor`."""
        self.is_key_frame = self._schedule.is_due(frame.pictures)
        self._motions.see(frame, is_key=self.is_key_frame)
        if self.is_key_frame:
            output = frame_outputs(self._network, frame.normalised.to(self._device))
            self._prediction = on_processor(self._task.predict(output, network=self._network))
            self._elements = elements(self._prediction)
        self._schedule.note(frame.pictures, is_key=self.is_key_frame)
        assert self._prediction is not None  # the first frame of a stream is a key frame
        if self.is_key_frame:
            return self._prediction
        return moved_answers(self._prediction, self._motions, self._size)

    def costs(self, networks: Mapping[str, FrameCosts]) -> FrameCosts:
        """Between key frames motion, and what moves maps; labels and boxes are copied."""
        macs = self._motions.macs(self._size) + BILINEAR * self._elements
        return FrameCosts(key=networks[MAIN].key, delta=Cost(macs=macs))
