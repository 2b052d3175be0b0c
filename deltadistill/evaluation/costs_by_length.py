"""What a variant costs per frame at each sequence length."""

from collections.abc import Iterable, Sequence

from torch import nn

from deltadistill.account.macs import count_macs
from deltadistill.predictors import predictor as predictors


def costs_by_length(
    network: nn.Module, teacher: nn.Module, predict: str, lengths: Iterable[int], *, size: Sequence[int]
) -> dict[int, dict[str, float]]:
    """Per sequence length the MACs of a frame, amortised over the sequence: in 10⁹, and over the teacher's.

    predict: how the variant predicts with `network` (predictors/predictor.py); size: of a frame, (C, H, W).
    """
    macs, teacher_macs = count_macs(network, size), count_macs(teacher, size).teacher
    amortised = predictors.amortised(predict)
    per_frame = {length: amortised(macs.key, macs.delta, length) for length in lengths}
    return {
        length: {"gmacs": cost / 1e9, "macs_ratio": cost / teacher_macs} for length, cost in per_frame.items()
    }
