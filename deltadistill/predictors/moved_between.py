"""The predictor that runs another one on every n-th frame, and moves its answers between these."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.blocks.schedules import OnDemand
from deltadistill.motion.dis import Preset
from deltadistill.motion.flow_macs import BILINEAR
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.motions import Motions
from deltadistill.predictors.moved_answers import elements, moved_answers
from deltadistill.predictors.predictor import Predictor, build, require_options
from deltadistill.tasks.task import Predictions, Task


class MovedBetween(Predictor):
    """Key frames as the schedule has them, a later frame by the network now and then, moved answers between.

    Motion over a frame or two is found well and costs next to nothing: what is moved from a delta frame has
    less to go wrong than what is moved all the way from the key frame.

    predict, options: the predictor that answers key frames and every `every`-th frame after them.
    motion, preset, longest: of what is moved between, as of `Moved`.
    """

    has_delta_frames = True
    works_on_predictions = True
    costs_vary = True

    def __init__(
        self,
        network: nn.Module,
        task: Task,
        *,
        predict: str = "stream",
        every: int = 2,
        motion: str = "flow",
        preset: Preset = "medium",
        longest: int = 320,
        options: Mapping[str, Any] | None = None,
    ):
        self._take(build(predict, network, task, options=options), every, motion, preset, longest)

    def _take(self, answering: Predictor, every: int, motion: str, preset: Preset, longest: int) -> None:
        self._answering = answering
        self.cycle = every
        self._motions = Motions(motion, preset=preset, longest=longest)
        self._on_demand = OnDemand()
        self._elements = 0

    @classmethod
    def around(
        cls,
        answering: Predictor,
        *,
        every: int = 2,
        motion: str = "flow",
        preset: Preset = "medium",
        longest: int = 320,
    ) -> "MovedBetween":
        """Make one of a predictor that is there."""
        made = cls.__new__(cls)
        made._take(answering, every, motion, preset, longest)
        return made

    @property
    def state_bytes(self) -> int:  # type: ignore[override]  # the other one's, only read here
        """Memory that the other predictor keeps between frames, bytes."""
        return self._answering.state_bytes

    def begin(self, stream: StreamInfo) -> None:
        """See `Predictor`."""
        self._schedule, self._size = stream.schedule, stream.size
        self._on_demand.reset()
        self._motions.begin(stream.streams)
        self._answering.begin(replace(stream, schedule=self._on_demand))
        self._moves = 0  # frames since the last one that was answered by the other predictor

    @torch.no_grad()
    def answer(self, frame: FrameBatch) -> Predictions:
        """See `Predictor`."""
        self.is_key_frame = self._schedule.is_due(frame.pictures)
        runs = self.is_key_frame or self._moves == self.cycle - 1
        self._motions.see(frame, is_key=runs)
        prediction = self._answered(frame) if runs else self._moved(frame)
        self._schedule.note(frame.pictures, is_key=self.is_key_frame)
        return prediction

    def _answered(self, frame: FrameBatch) -> Predictions:
        if self.is_key_frame:
            self._on_demand.refresh()
        self._prediction = self._answering.answer(frame)
        self._elements, self._moves = elements(self._prediction), 0
        return self._prediction

    def _moved(self, frame: FrameBatch) -> Predictions:
        self._answering.pass_over(frame)
        self._moves += 1
        return moved_answers(self._prediction, self._motions, self._size)

    def costs(self, networks: Mapping[str, FrameCosts]) -> FrameCosts:
        """Those of the other predictor, which are the most that a frame costs."""
        return self._answering.costs(networks)

    def last_cost(self, networks: Mapping[str, FrameCosts]) -> Cost:
        """The other predictor's, or that of motion and of what it moves."""
        if self._moves == 0:
            return self._answering.last_cost(networks)
        return Cost(macs=self._motions.macs(self._size) + BILINEAR * self._elements)

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        """See `Predictor`."""
        every = options.get("every", 2)
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ValueError(f"every {every!r} must be a whole number of frames, at least 1")
        predict = options.get("predict", "stream")
        if predict == "moved_between":
            raise ValueError("moved_between runs another predictor, not itself; name stream or moved_stream")
        require_options(predict, options.get("options") or {})
