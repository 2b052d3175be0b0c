"""Skip-Convolutions: between key frames every convolution computes only where its input has changed."""

from collections.abc import Mapping
from math import prod
from typing import cast

import torch
from torch import nn

from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.account.macs import count_macs
from deltadistill.account.macs_table import LayerMacs, MacTable
from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.delta_network import delta_blocks, seat_of
from deltadistill.blocks.rule import State
from deltadistill.blocks.sessions import StreamSession
from deltadistill.blocks.skip_gates import learned_skips
from deltadistill.blocks.skip_rule import SkipConvolution, SkipRule, skip_macs
from deltadistill.conversion.convert import convert
from deltadistill.conversion.registry import SELECTORS
from deltadistill.forward.outputs import frame_outputs
from deltadistill.predictors.frame_batch import FrameBatch, StreamInfo
from deltadistill.predictors.predictor import MAIN, Predictor
from deltadistill.processes.group import device_of
from deltadistill.tasks.task import Predictions, Task, on_processor


class SkipConvolutions(Predictor):
    """A plain network, with a gate of `blocks.skip_gate` before its convolutions (CVPR 2021).

    threshold: of the norm gate, relative to the mean magnitude of each convolution's input on the key frame.
    gates: in its place a network of gates that have learned, of training method skip_gates
    (blocks/skip_gates.py). where: which convolutions, a name of conversion.registry.SELECTORS; others run on
    every frame in full, as do those without a gate that has learned.
    Costs are counted frame by frame, by the positions that were computed.
    """

    has_delta_frames = True
    computes_inside = True
    costs_vary = True

    def __init__(
        self,
        network: nn.Module,
        task: Task,
        *,
        threshold: float | None = None,
        gates: nn.Module | None = None,
        where: str = "inner_convolutions",
    ):
        if (threshold is None) == (gates is None):
            raise ValueError(
                "skip_convolutions takes either a threshold (options: {threshold: 0.3}) or gates that have "
                "learned (networks: {gates: distill/name of a training of method skip_gates})"
            )
        design = SkipConvolution(threshold) if threshold is not None else learned_skips(gates)
        self._network = convert(network, design, SELECTORS.find(where)).eval()
        self._device = device_of(network)
        self._task = task
        self._session = StreamSession()
        self._tables: dict[tuple[int, int], MacTable] = {}  # by the size of a frame

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

    def costs(self, networks: Mapping[str, FrameCosts]) -> FrameCosts:
        """The most that a frame can cost: every position computed, and the gates."""
        blocks = delta_blocks(self._network)
        skipping = [_most(blocks[row.name], row) for row in self._table.rows if row.chosen]
        return FrameCosts(key=networks[MAIN].key, delta=Cost(macs=self._in_full + sum(skipping)))

    def last_cost(self, networks: Mapping[str, FrameCosts]) -> Cost:
        """What the last frame computed: convolutions at their positions, gates, and all other layers."""
        if self.is_key_frame:
            return networks[MAIN].key
        skipping = [_macs(block, state) for (block, _), state in self._session.state.items()]
        return Cost(macs=self._in_full + sum(skipping))

    @property
    def _in_full(self) -> int:
        """MACs of the layers that were not converted."""
        return sum(row.teacher_macs for row in self._table.rows if row.chosen is None)

    @property
    def _table(self) -> MacTable:
        if self._size not in self._tables:
            self._tables[self._size] = count_macs(self._network, (3, *self._size))
        return self._tables[self._size]


def _macs(block: DeltaBlock, state: State) -> float:
    return skip_macs(block.teacher, cast(SkipRule, block.rule), state)


def _most(block: DeltaBlock, row: LayerMacs) -> int:
    """MACs where every position is computed."""
    layer, gate = cast(nn.Conv2d, block.teacher), cast(SkipRule, block.rule).gate
    inputs, positions = prod(row.input_shape), prod(row.output_shape) // layer.out_channels
    return row.teacher_macs + row.calls * gate.macs(layer, inputs, positions)
