"""The cost of candidates in multiply-accumulates, for a search."""

from torch import nn

from deltadistill.account.candidate_costs import CostTable, macs_of_blocks
from deltadistill.account.macs import count_macs


def macs(network: nn.Module, size: tuple[int, int, int], *, length: int | None) -> CostTable:
    """MACs of every candidate at a frame size (C, H, W).

    length: of the sequences whose delta frames share what candidates add to the key frame; None: left out.
    """
    return macs_of_blocks(count_macs(network, size), length=length)
