"""Skip-Convolutions: between key frames every convolution computes only where its input has changed."""

from collections.abc import Mapping
from math import prod

from torch import nn

from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.blocks.rule import State
from deltadistill.blocks.skip_rule import SkipConvolution, skip_macs
from deltadistill.conversion.convert import convert
from deltadistill.conversion.registry import SELECTORS
from deltadistill.predictors.counted_blocks import CountedBlocks
from deltadistill.predictors.predictor import MAIN
from deltadistill.tasks.task import Task


class SkipConvolutions(CountedBlocks):
    """A plain network, with the norm gate of `blocks.skip_rule` before its convolutions (CVPR 2021).

    threshold: of the gate, relative to the mean magnitude of each convolution's input on the key frame.
    where: which convolutions, a name of conversion.registry.SELECTORS; others run on every frame in full.
    Costs are counted frame by frame, by the positions that were computed.
    """

    def __init__(
        self, network: nn.Module, task: Task, *, threshold: float, where: str = "inner_convolutions"
    ):
        super().__init__(convert(network, SkipConvolution(threshold), SELECTORS.find(where)), task)

    def block_macs(self, block: nn.Module, state: State) -> float:
        """See `CountedBlocks`."""
        return skip_macs(block, state)

    def costs(self, networks: Mapping[str, FrameCosts]) -> FrameCosts:
        """The most that a frame can cost: every position computed, and the gates."""
        looked_at = sum(prod(row.input_shape) * row.calls for row in self._table.rows if row.chosen)
        return FrameCosts(key=networks[MAIN].key, delta=Cost(macs=self._table.delta + looked_at))
