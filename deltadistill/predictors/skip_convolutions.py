"""Skip-Convolutions: between key frames every convolution computes only where its input has changed."""

from collections.abc import Mapping
from math import prod
from typing import cast

from torch import nn

from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.account.macs_table import LayerMacs
from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.rule import State
from deltadistill.blocks.skip_gates import learned_skips
from deltadistill.blocks.skip_rule import SkipConvolution, SkipRule, skip_macs
from deltadistill.conversion.convert import convert
from deltadistill.conversion.registry import SELECTORS
from deltadistill.predictors.counted_blocks import CountedBlocks
from deltadistill.predictors.predictor import MAIN
from deltadistill.tasks.task import Task


class SkipConvolutions(CountedBlocks):
    """A plain network, with a gate of `blocks.skip_gate` before its convolutions (CVPR 2021).

    threshold: of the norm gate, relative to the mean magnitude of each convolution's input on the key frame.
    gates: in its place a network of gates that have learned, of training method skip_gates
    (blocks/skip_gates.py). where: which convolutions, a name of conversion.registry.SELECTORS; others run on
    every frame in full, as do those without a gate that has learned.
    Costs are counted frame by frame, by the positions that were computed.
    """

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
        super().__init__(convert(network, design, SELECTORS.find(where)), task)

    def block_macs(self, block: DeltaBlock, state: State) -> float:
        """See `CountedBlocks`."""
        return skip_macs(block.teacher, cast(SkipRule, block.rule), state)

    def costs(self, networks: Mapping[str, FrameCosts]) -> FrameCosts:
        """The most that a frame can cost: every position computed, and the gates."""
        blocks = delta_blocks(self._network)
        skipping = [_most(blocks[row.name], row) for row in self._table.rows if row.chosen]
        return FrameCosts(key=networks[MAIN].key, delta=Cost(macs=self._in_full + sum(skipping)))


def _most(block: DeltaBlock, row: LayerMacs) -> int:
    """MACs where every position is computed."""
    layer, gate = cast(nn.Conv2d, block.teacher), cast(SkipRule, block.rule).gate
    inputs, positions = prod(row.input_shape), prod(row.output_shape) // layer.out_channels
    return row.teacher_macs + row.calls * gate.macs(layer, inputs, positions)
