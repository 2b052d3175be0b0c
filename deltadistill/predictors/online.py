"""The online predictor: a student that learns from the teacher while it predicts (JITNet's, or any other)."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.online.lesson import Lesson
from deltadistill.online.settings import Settings
from deltadistill.online.stream import OnlineStream
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.predictor import MAIN, Predictor
from deltadistill.processes.group import device_of
from deltadistill.tasks.task import Predictions, Task, on_processor

LabelledBy = Literal["stride", "schedule"]


class Online(Predictor):
    """Runs a student, and the teacher on labelled frames, which are its key frames.

    network: the student; a delta network without `teacher` has its own. Every stream has a student of its
        own. labelled_by: which frames are labelled: "stride", by the rule of online.stride, whatever the
        schedule says; "schedule": the schedule's key frames.
    settings: of online.settings.Settings, by name.
    """

    learns = True
    has_delta_frames = True

    def __init__(
        self,
        network: nn.Module,
        task: Task,
        *,
        teacher: nn.Module | None = None,
        labelled_by: LabelledBy = "stride",
        **settings: Any,
    ):
        self._network, self._task, self._teacher = network, task, teacher
        self._by_schedule = labelled_by == "schedule"
        self._settings = _settings(settings)
        self._device = device_of(network)
        self._streams: list[OnlineStream] = []

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        """See `Predictor`."""
        settings = dict(options)
        labelled_by = settings.pop("labelled_by", "stride")
        if labelled_by not in get_args(LabelledBy):
            raise ValueError(
                f"labelled_by {labelled_by!r} is unknown; allowed: {', '.join(get_args(LabelledBy))}"
            )
        _settings(settings)

    @property
    def is_key_frame(self) -> bool:  # type: ignore[override]  # the streams', only read here
        """Whether the teacher labelled the last frame, of any stream."""
        return any(stream.is_labelled for stream in self._streams)

    @property
    def state_bytes(self) -> int:  # type: ignore[override]  # the streams', only read here
        """Memory that the streams keep between frames, bytes."""
        return sum(stream.state_bytes for stream in self._streams)

    @property
    def last_updates(self) -> int:  # type: ignore[override]  # the streams', only read here
        """Steps on the last frame, of all streams."""
        return sum(stream.steps for stream in self._streams)

    @property
    def lessons(self) -> list[list[Lesson]]:
        """What became of labelled frames, stream by stream."""
        return [list(stream.lessons) for stream in self._streams]

    def begin(self, stream: StreamInfo) -> None:
        """See `Predictor`."""
        self._schedule = stream.schedule
        self._count = stream.streams
        del self._streams[self._count :]
        for each in self._streams:
            each.reset()

    def _new(self) -> OnlineStream:
        if not hasattr(self._task, "metric"):  # evaluation.frame_times has outputs timed as they are
            raise ValueError(
                "a predictor that learns has no time per frame without a task to learn by; the stage "
                "evaluate_videos times it over whole videos"
            )
        return OnlineStream(self._network, self._task, teacher=self._teacher, settings=self._settings)

    def answer(self, frame: FrameBatch) -> Predictions:
        """See `Predictor`."""
        while len(self._streams) < self._count:  # at the first answer: who asks for costs alone has no task
            self._streams.append(self._new())
        is_due = self._schedule.is_due(frame.pictures)  # asked on every frame, as schedules expect
        labelled = is_due if self._by_schedule else None
        found = []
        for stream, seen in zip(self._streams, frame.normalised.to(self._device).split(1), strict=True):
            with torch.no_grad():
                output = stream(seen, labelled=labelled)
                found.append(on_processor(self._task.predict(output, network=self._read_by(stream))))
        self._schedule.note(frame.pictures, is_key=self.is_key_frame)
        return joined(found)

    def _read_by(self, stream: OnlineStream) -> nn.Module:
        """The network whose output the last one was."""
        return self._teacher if stream.by_teacher and self._teacher is not None else stream.network

    def costs(self, networks: Mapping[str, FrameCosts]) -> FrameCosts:
        """Of teacher and student without updates, whose number depends on the video: see `last_cost`."""
        if self._teacher is None:
            return networks[MAIN]
        student = networks[MAIN].key
        return FrameCosts(key=networks["teacher"].key + student, delta=student)

    def last_cost(self, networks: Mapping[str, FrameCosts]) -> Cost:
        """The cost of the last frame per stream: the teacher where it ran, and all that students did.

        Steps count as `account.training_macs` has them.
        """
        teacher = networks[MAIN if self._teacher is None else "teacher"].key.macs
        if teacher is None:
            return Cost()
        ran = sum(stream.is_labelled for stream in self._streams)
        students = sum(stream.macs for stream in self._streams)
        return Cost(macs=(ran * teacher + students) / len(self._streams))


def joined(found: list[Predictions]) -> Predictions:
    """Predictions of streams, each of one frame, as those of one batch."""
    if all(isinstance(each, torch.Tensor) for each in found):
        return torch.cat(found)  # type: ignore[arg-type, return-value]  # tensors are sequences of frames
    assert all(len(each) == 1 for each in found), tree_leaves(found)
    return [each[0] for each in found]


def _settings(given: Mapping[str, Any]) -> Settings:
    try:
        return Settings(**given)
    except TypeError as error:
        known = ", ".join(Settings.__dataclass_fields__)
        raise ValueError(f"predictor 'online': {error}; its settings: labelled_by, {known}") from None
