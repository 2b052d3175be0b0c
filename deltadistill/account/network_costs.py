"""What the networks of a predictor cost on a key frame and on a delta frame, by their MAC accounts."""

from collections.abc import Callable, Mapping, Sequence

from torch import nn

from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.account.macs import count_macs
from deltadistill.account.macs_table import MacTable

Count = Callable[[nn.Module], MacTable]
"""The MAC account of a network on frames of a size that is known."""


def network_costs(
    networks: Mapping[str, nn.Module], size: Sequence[int], *, count: Count | None = None
) -> dict[str, FrameCosts]:
    """By name, what each network costs on frames of `size`, (C, H, W); count: None: anew."""
    count = count or (lambda network: count_macs(network, size))
    tables = {name: count(network) for name, network in networks.items()}
    return {
        name: FrameCosts(key=Cost(macs=table.key), delta=Cost(macs=table.delta))
        for name, table in tables.items()
    }
