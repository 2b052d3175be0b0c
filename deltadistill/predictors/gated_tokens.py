"""Token gates: between key frames the blocks of a vision transformer compute tokens that have changed."""

from collections.abc import Mapping

from torch import nn

from deltadistill.account.cost import FrameCosts
from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.rule import State
from deltadistill.blocks.token_gate_rule import TokenGate, gated_macs
from deltadistill.conversion.convert import convert
from deltadistill.conversion.transformers import transformer_blocks
from deltadistill.predictors.counted_blocks import CountedBlocks
from deltadistill.predictors.predictor import MAIN
from deltadistill.tasks.task import Task


class GatedTokens(CountedBlocks):
    """A plain vision transformer, with the gates of `blocks.token_gate_rule` in its blocks (ICCV 2023).

    threshold: relative to the mean norm of the key frame's tokens at each gate. Patches are embedded and the
    output is read off on every frame. Costs are counted frame by frame, by the tokens that were computed.
    """

    def __init__(self, network: nn.Module, task: Task, *, threshold: float):
        super().__init__(convert(network, TokenGate(threshold), transformer_blocks), task)

    def block_macs(self, block: DeltaBlock, state: State) -> float:
        """See `CountedBlocks`."""
        return gated_macs(block.teacher, state)

    def costs(self, networks: Mapping[str, FrameCosts]) -> FrameCosts:
        """Key frames by the network. What a later frame costs at most hangs on which tokens change where.

        Given is what it costs when every token changes, without the gates; `last_cost` is what it was.
        """
        return FrameCosts(key=networks[MAIN].key, delta=networks[MAIN].key)
