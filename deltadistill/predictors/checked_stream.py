"""The checked stream: a delta network that asks its teacher where it disagrees with the moved key frame."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.blocks.schedules import OnDemand
from deltadistill.blocks.stream import Stream
from deltadistill.forward.outputs import frame_outputs
from deltadistill.motion.dis import Preset
from deltadistill.motion.moved import moved_labels
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.motions import Motions
from deltadistill.predictors.predictor import MAIN, Predictor
from deltadistill.processes.group import device_of
from deltadistill.tasks.task import Predictions, Task, on_processor


class CheckedStream(Predictor):
    """Runs a delta network as a stream; a frame whose labels two ways do not agree on becomes a key frame.

    agreement: the share of a frame's labels, 0 to 1, in which the students' answer and the key frame's, moved
    along with the picture, must be the same; otherwise the frame is answered anew by the teacher. Of streams
    side by side the one that agrees least decides. The schedule's key frames come on top.
    motion, preset, longest: as of `Moved`.
    """

    has_delta_frames = True
    costs_vary = True

    def __init__(
        self,
        network: nn.Module,
        task: Task,
        *,
        agreement: float,
        motion: str = "flow",
        preset: Preset = "fast",
        longest: int = 320,
    ):
        if not 0 < agreement <= 1:
            raise ValueError(f"agreement {agreement}: expected a share above 0, 1 at most")
        self._agreement = agreement
        self._stream = Stream(network, schedule=OnDemand(), run=frame_outputs)
        self._motions = Motions(motion, preset=preset, longest=longest)
        self._task = task
        self._device = device_of(network)

    @property
    def state_bytes(self) -> int:  # type: ignore[override]  # the stream's, only read here
        """Memory that the stream keeps between frames, bytes."""
        return self._stream.state_bytes

    def begin(self, stream: StreamInfo) -> None:
        """See `Predictor`."""
        self._schedule, self._size = stream.schedule, stream.size
        self._motions.begin(stream.streams)
        self._stream.reset()

    @torch.no_grad()
    def answer(self, frame: FrameBatch) -> Predictions:
        """See `Predictor`."""
        self._asked = self._schedule.is_due(frame.pictures)
        self._motions.see(frame, is_key=self._asked)
        answer = self._run(frame, is_key=self._asked)
        if not isinstance(answer, Tensor) or answer.dim() != 3 or answer.is_floating_point():
            raise ValueError(
                f"checked_stream compares labels (N, H, W) of whole numbers; the task predicts "
                f"{type(answer).__name__}; predict: stream with a schedule takes any"
            )
        self.is_key_frame = self._asked or not self._agrees(answer)
        if self.is_key_frame and not self._asked:
            self._motions.see(frame, is_key=True)
            answer = self._run(frame, is_key=True)
        if self.is_key_frame:
            self._key = answer
        self._schedule.note(frame.pictures, is_key=self.is_key_frame)
        return answer

    def _run(self, frame: FrameBatch, *, is_key: bool) -> Predictions:
        if is_key:
            self._stream.refresh()
        output = self._stream(frame.normalised.to(self._device))
        return on_processor(self._task.predict(output, network=self._stream.network))

    def _agrees(self, answer: Tensor) -> bool:
        moved = [
            torch.from_numpy(moved_labels(labels.numpy(), motion.back()))
            for labels, motion in zip(self._key, self._motions, strict=True)
        ]
        agreeing = (torch.stack(moved) == answer).flatten(1).double().mean(1)
        return bool(agreeing.min() >= self._agreement)

    def costs(self, networks: Mapping[str, FrameCosts]) -> FrameCosts:
        """The most that a frame between key frames can cost: the students, the motion, and the teacher."""
        return FrameCosts(networks[MAIN].key, self._checked(networks) + networks[MAIN].key)

    def last_cost(self, networks: Mapping[str, FrameCosts]) -> Cost:
        """The teacher where the schedule asked; else students, motion, and the teacher where they differ."""
        if self._asked:
            return networks[MAIN].key
        checked = self._checked(networks)
        return checked + networks[MAIN].key if self.is_key_frame else checked

    def _checked(self, networks: Mapping[str, FrameCosts]) -> Cost:
        return networks[MAIN].delta + Cost(macs=self._motions.macs(self._size))
