"""What a frame of a variant needs in memory, by theory, where its network runs in full on every frame."""

from collections.abc import Sequence

from torch import nn

from deltadistill.account.memory import count_memory
from deltadistill.account.memory_table import MIB
from deltadistill.predictors.per_frame import PerFrame
from deltadistill.predictors.predictor import Predictor


def peak_memory(predictor: Predictor, network: nn.Module, size: Sequence[int]) -> dict[str, float]:
    """Peaks of a frame of `size` (C, H, W) in MiB, weights apart: with lifetimes, and as ReDistill publishes.

    Empty for predictors that do more than run `network` on each frame: `exporting.stream_memory` has theirs.
    """
    if not isinstance(predictor, PerFrame):
        return {}
    table = count_memory(network, size)
    return {"peak_mib": table.peak / MIB, "published_peak_mib": table.published_peak / MIB}
