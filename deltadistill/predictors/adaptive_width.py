"""Adaptive width: a delta network whose tokens run as much of an MLP as their change is worth, counted so."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from deltadistill.account.cost import FrameCosts
from deltadistill.blocks.adaptive_mlp import AdaptiveMlp
from deltadistill.blocks.adaptive_width import width_macs
from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.blocks.rule import State
from deltadistill.predictors.counted_blocks import CountedBlocks
from deltadistill.predictors.predictor import MAIN
from deltadistill.tasks.task import Task


class AdaptiveWidths(CountedBlocks):
    """A network with students of `blocks.adaptive_width`; costs are counted frame by frame.

    Raises ValueError for a network with other students, or none.
    """

    def __init__(self, network: nn.Module, task: Task):
        blocks = delta_blocks(network).values()
        if not blocks or not all(_adaptive(block) for block in blocks):
            raise ValueError(
                "predictor adaptive_width counts students of adaptive width alone; train with students: "
                "{kind: adaptive_width, where: transformer_mlps}, or take predict: stream"
            )
        super().__init__(network, task)

    def block_macs(self, block: DeltaBlock, state: State) -> float:
        """See `CountedBlocks`."""
        if not state:  # the teacher itself
            return next(row.teacher_macs for row in self._table.rows if row.name == block.name)
        student: Any = block.compressed
        return width_macs(student, state)

    def costs(self, networks: Mapping[str, FrameCosts]) -> FrameCosts:
        """Those at full width, the most that a frame can cost; `last_cost` is what it was."""
        return networks[MAIN]


def _adaptive(block: DeltaBlock) -> bool:
    return block.choice == "uncompressed" or isinstance(block.compressed, AdaptiveMlp)
