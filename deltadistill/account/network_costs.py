"""What the networks of a predictor cost on a key frame and on a delta frame, by their MAC accounts."""

from collections.abc import Mapping, Sequence

from torch import nn

from deltadistill.account.cost import Cost, FrameCosts
from deltadistill.account.macs import count_macs


def network_costs(networks: Mapping[str, nn.Module], size: Sequence[int]) -> dict[str, FrameCosts]:
    """By name, what each network costs on frames of `size`, (C, H, W)."""
    tables = {name: count_macs(network, size) for name, network in networks.items()}
    return {
        name: FrameCosts(key=Cost(macs=table.key), delta=Cost(macs=table.delta))
        for name, table in tables.items()
    }
