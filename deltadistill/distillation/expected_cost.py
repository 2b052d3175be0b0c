"""The expected cost of a delta frame under the gates (Eq. 4)."""

import torch
from torch import Tensor, nn

from deltadistill.account.candidate_costs import CostTable
from deltadistill.blocks.candidates import UNCOMPRESSED
from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.processes.group import device_of


def expected_cost(network: nn.Module, costs: CostTable) -> Tensor:
    """Expected cost of a delta frame under the gates (Eq. 4), as a share of the teacher's.

    A scalar with gradient to the logits of the blocks that are not decided.
    """
    costs.require_blocks_of(network)
    total = torch.tensor(float(costs.rest), device=device_of(network))
    for name, block in delta_blocks(network).items():
        uncompressed, compressed = costs.blocks[name]
        share = _uncompressed_share(block)
        total = total + share * uncompressed + (1 - share) * compressed
    return total / costs.teacher


def _uncompressed_share(block: DeltaBlock) -> Tensor | float:
    if block.decided is None:
        return block.gate.uncompressed_probability
    return float(block.decided == UNCOMPRESSED)
