"""A search cost of one's own: compressed candidates cost a tenth of the others, at any size."""

from deltadistill.account.candidate_costs import CostTable
from deltadistill.blocks.delta_network import delta_blocks


def tenths(network, size, *, length, unit=1.0) -> CostTable:
    names = list(delta_blocks(network))
    return CostTable(
        blocks=dict.fromkeys(names, (10 * unit, unit)), rest=unit, teacher=unit + 10 * unit * len(names)
    )
