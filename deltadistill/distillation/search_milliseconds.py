"""The cost of candidates in milliseconds of an engine on this machine, for a search."""

import torch
from torch import nn

from deltadistill.account.candidate_costs import CostTable
from deltadistill.exporting.measuring import measure_layers
from deltadistill.forward.modes import evaluation_mode

_ALL_DELTA = 10**9  # frames after one key frame, whose part then comes to nothing


def milliseconds(
    network: nn.Module,
    size: tuple[int, int, int],
    *,
    length: int | None,
    engine: str = "auto",
    threads: int | None = None,
    precision: str = "fp32",
    seconds: float = 60.0,
) -> CostTable:
    """Milliseconds of every candidate on one frame (C, H, W), as a training leaves them.

    length: of the sequences whose delta frames share what candidates add to the key frame; None: left out.
    The rest is as `measure_layers` takes it. What is measured differs from run to run, by some per cent.
    """
    with evaluation_mode(network):
        times = measure_layers(
            network,
            torch.zeros(1, *size),
            engine=engine,
            threads=threads,
            precision=precision,
            trained=True,
            seconds=seconds,
        )
    return times.table_at(length or _ALL_DELTA)
