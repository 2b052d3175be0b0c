"""What a variant needs in memory, by theory: a frame of a network that runs in full on each, or a stream."""

from collections.abc import Sequence

import torch
from torch import nn

from deltadistill.account.memory import count_memory
from deltadistill.account.memory_table import MIB
from deltadistill.exporting.stream_memory import stream_memory
from deltadistill.forward.outputs import frame_outputs
from deltadistill.predictors.per_frame import PerFrame
from deltadistill.predictors.predictor import Predictor
from deltadistill.predictors.streamed import Streamed


def peak_memory(
    predictor: Predictor, network: nn.Module, size: Sequence[int], *, of_streams: bool = False
) -> dict[str, float]:
    """Peaks of a frame of `size` (C, H, W) in MiB, weights apart: with lifetimes, and as ReDistill publishes.

    of_streams: count delta networks too, which takes seconds: the peak of a key frame or a later one with the
        maps that are kept, with lifetimes; that of a later frame alone; and these maps.
    Empty for predictors that do more than run `network` on each frame or stream it.
    """
    if isinstance(predictor, PerFrame):
        table = count_memory(network, size)
        return {"peak_mib": table.peak / MIB, "published_peak_mib": table.published_peak / MIB}
    if not of_streams or type(predictor) is not Streamed:
        return {}
    frame = torch.zeros(1, *size, device=next(network.parameters()).device)
    found = stream_memory(network, frame, run=frame_outputs)
    return {
        "peak_mib": found.peak / MIB,
        "delta_peak_mib": found.delta.peak / MIB,
        "kept_mib": found.maps / MIB,
    }
