"""The moved stream: a delta network whose cached maps go where the picture has gone since the key frame."""

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import nn

from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.account.macs import count_macs
from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.delta_network import seat_of
from deltadistill.blocks.moved_rule import MovedDeltaRule, movable
from deltadistill.blocks.sessions import StreamSession
from deltadistill.forward.modes import copy_with_modes
from deltadistill.forward.outputs import frame_outputs
from deltadistill.motion.dis import Preset
from deltadistill.motion.flow_macs import BILINEAR
from deltadistill.motion.warp import Warp
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.motions import Motions
from deltadistill.predictors.predictor import Predictor
from deltadistill.processes.group import device_of
from deltadistill.tasks.task import Predictions, Task, on_processor


class MovedStream(Predictor):
    """Runs a copy of a delta network of linear students as a stream, its maps moved (blocks/moved_rule.py).

    motion, preset, longest: as of `Moved`. coarsest: maps of a lower resolution than the picture's over this
    stay where they are; None: all are moved. least: of a place of a map; what moves by less stays.
    """

    has_delta_frames = True
    computes_inside = True

    def __init__(
        self,
        network: nn.Module,
        task: Task,
        *,
        motion: str = "flow",
        preset: Preset = "fast",
        longest: int = 320,
        coarsest: float | None = None,
        least: float = 0.0,
    ):
        self._motions = Motions(motion, preset=preset, longest=longest)
        self._moved = _movable(network)
        self._network = copy_with_modes(network)
        self._rule = MovedDeltaRule(float("inf") if coarsest is None else coarsest)
        for name in self._moved:
            cast(DeltaBlock, self._network.get_submodule(name)).rule = self._rule
        self._least = least
        self._device = device_of(network)
        self._task = task
        self._session = StreamSession()
        self._costs: dict[tuple[int, int], FrameCosts] = {}

    @property
    def state_bytes(self) -> int:  # type: ignore[override]  # the session's, only read here
        """Memory that is kept between frames, bytes."""
        return self._session.state_bytes

    def begin(self, stream: StreamInfo) -> None:
        """See `Predictor`."""
        self._schedule, self._size = stream.schedule, stream.size
        self._motions.begin(stream.streams)
        self._session.forget()

    @torch.no_grad()
    def answer(self, frame: FrameBatch) -> Predictions:
        """See `Predictor`."""
        is_key = self.is_key_frame = self._schedule.is_due(frame.pictures)
        self._motions.see(frame, is_key=is_key)
        motion = None if is_key else self._warp()
        self._session.begin_frame(is_key_frame=is_key, streams=len(frame.pictures), motion=motion)
        with seat_of(self._network).taken_by(self._session):
            output = frame_outputs(self._network, frame.normalised.to(self._device))
        self._schedule.note(frame.pictures, is_key=is_key)
        return on_processor(self._task.predict(output, network=self._network))

    def _warp(self) -> Warp:
        return Warp(self._motions.back().to(self._device), least=self._least)

    def pass_over(self, frame: FrameBatch) -> None:
        """See `Predictor`."""
        self._motions.see(frame, is_key=False)

    def costs(self, networks: Mapping[str, FrameCosts]) -> FrameCosts:
        """Those of the network, on key frames with g(x_0), between them with motion and what it moves."""
        if self._size not in self._costs:
            self._costs[self._size] = self._counted()
        return self._costs[self._size]

    def _counted(self) -> FrameCosts:
        table = count_macs(self._network, (3, *self._size))
        shapes = [row.output_shape for row in table.rows if row.name in self._moved for _ in range(row.calls)]
        flow = torch.empty(1, 2, *self._motions.flow_size(self._size))
        elements = sum(torch.Size(s).numel() for s in shapes if self._rule.moves(s[-2], flow))
        moving = self._motions.macs(self._size) + BILINEAR * elements
        return FrameCosts(key=Cost(macs=table.key), delta=Cost(macs=table.delta + moving))

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        """See `Predictor`."""
        if not 0 <= options.get("least", 0.0) < 1:
            raise ValueError(f"least {options['least']!r} is a share of a place; expected 0 or more, below 1")


def _movable(network: nn.Module) -> list[str]:
    """Names of the blocks whose maps can be moved; ValueError where there is none."""
    found = movable(network)
    if not found:
        raise ValueError(
            "moved_stream moves what linear students keep, and the network has none that is compressed and "
            "predicts changes; train it with method delta and students of kind linear"
        )
    return found
