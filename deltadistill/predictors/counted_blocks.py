"""Predictors whose blocks compute what has changed: run as a stream, and counted frame by frame."""

from abc import abstractmethod
from collections.abc import Mapping

import torch
from torch import nn

from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.account.macs import count_macs
from deltadistill.account.macs_table import MacTable
from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.delta_network import seat_of
from deltadistill.blocks.rule import State
from deltadistill.blocks.sessions import StreamSession
from deltadistill.forward.outputs import frame_outputs
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.predictor import MAIN, Predictor
from deltadistill.processes.group import device_of
from deltadistill.tasks.task import Predictions, Task, on_processor


class CountedBlocks(Predictor):
    """Runs a converted network whose blocks keep in their state what the last frame computed.

    Layers that are not blocks run on every frame in full.
    """

    has_delta_frames = True
    costs_vary = True
    computes_inside = True

    def __init__(self, network: nn.Module, task: Task):
        self._network = network.eval()
        self._device = device_of(network)
        self._task = task
        self._session = StreamSession()
        self._tables: dict[tuple[int, int], MacTable] = {}  # by the size of a frame

    @abstractmethod
    def block_macs(self, block: DeltaBlock, state: State) -> float:
        """MACs of the last frame in one call of a block, from its state; mean over streams."""

    @property
    def state_bytes(self) -> int:  # type: ignore[override]  # the session's, only read here
        """Memory that is kept between frames, bytes."""
        return self._session.state_bytes

    def begin(self, stream: StreamInfo) -> None:
        """See `Predictor`."""
        self._schedule, self._size = stream.schedule, stream.size
        self._session.forget()

    @torch.no_grad()
    def answer(self, frame: FrameBatch) -> Predictions:
        """See `Predictor`."""
        self.is_key_frame = self._schedule.is_due(frame.pictures)
        self._session.begin_frame(is_key_frame=self.is_key_frame, streams=len(frame.pictures))
        with seat_of(self._network).taken_by(self._session):
            output = frame_outputs(self._network, frame.normalised.to(self._device))
        self._schedule.note(frame.pictures, is_key=self.is_key_frame)
        return on_processor(self._task.predict(output, network=self._network))

    def last_cost(self, networks: Mapping[str, FrameCosts]) -> Cost:
        """What the last frame computed: blocks by their states, and all other layers."""
        if self.is_key_frame:
            return networks[MAIN].key
        counted = [self.block_macs(block, state) for (block, _), state in self._session.state.items()]
        return Cost(macs=self._in_full + sum(counted))

    @property
    def _in_full(self) -> int:
        """MACs of the layers that were not converted."""
        return sum(row.teacher_macs for row in self._table.rows if row.chosen is None)

    @property
    def _table(self) -> MacTable:
        if self._size not in self._tables:
            self._tables[self._size] = count_macs(self._network, (3, *self._size))
        return self._tables[self._size]
