"""What a variant costs per frame at each sequence length."""

from collections.abc import Iterable, Mapping, Sequence

from torch import nn

from deltadistill.account.macs import count_macs
from deltadistill.account.network_costs import network_costs
from deltadistill.predictors.predictor import MAIN, Predictor


def costs_by_length(
    predictor: Predictor,
    network: nn.Module,
    teacher: nn.Module,
    lengths: Iterable[int],
    *,
    size: Sequence[int],
    networks: Mapping[str, nn.Module] | None = None,
) -> dict[int, dict[str, float]]:
    """Per sequence length the MACs of a frame, amortised over the sequence: in 10⁹, and over the teacher's.

    predictor: how the variant predicts with `network`, and with `networks` beside it; size: of a frame,
    (C, H, W). Raises ValueError for a predictor that says no MACs.
    """
    costs = predictor.costs(network_costs({MAIN: network, **(networks or {})}, size))
    teacher_macs = count_macs(teacher, size).teacher
    macs = {length: costs.amortised(length).macs for length in lengths}
    if None in macs.values():
        raise ValueError(
            f"{type(predictor).__name__}.costs leaves the MACs of a frame open, {costs}; they are the x-axis "
            "of figures: add up those of the networks that it is given"
        )
    return {length: {"gmacs": cost / 1e9, "macs_ratio": cost / teacher_macs} for length, cost in macs.items()}
