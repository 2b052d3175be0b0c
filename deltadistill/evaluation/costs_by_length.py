"""What a variant costs per frame at each sequence length."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from torch import nn

from deltadistill.account.cost import Cost, FrameCosts, mean
from deltadistill.account.macs import count_macs
from deltadistill.account.network_costs import Count, network_costs
from deltadistill.data.frames import FrameStore
from deltadistill.evaluation.frames import frame_batch, stream_of
from deltadistill.predictors.frame_batch import StreamInfo
from deltadistill.predictors.predictor import MAIN, Predictor


def costs_by_length(
    predictor: Predictor,
    network: nn.Module,
    teacher: nn.Module,
    lengths: Iterable[int],
    *,
    size: Sequence[int],
    networks: Mapping[str, nn.Module] | None = None,
    store: FrameStore | None = None,
    count: Count | None = None,
) -> dict[int, dict[str, float]]:
    """Per sequence length the MACs of a frame, amortised over the sequence: in 10⁹, and over the teacher's.

    predictor: how the variant predicts with `network`, and with `networks` beside it; its streams begin anew.
    size: of a frame, (C, H, W). store: where costs depend on the picture, they are the mean over the
    beginnings of its test clips; None: the most that they can be. count: of a network's MACs, where they are
    known from elsewhere; None: every network is counted once.
    Raises ValueError for a predictor that says no MACs.
    """
    lengths = list(lengths)
    count = count or cache(lambda network: count_macs(network, size))
    counted = network_costs({MAIN: network, **(networks or {})}, size, count=count)
    costs = _amortised(predictor, counted, lengths, size, store)
    teacher_macs = count(teacher).teacher
    macs = {length: cost.macs for length, cost in costs.items()}
    if None in macs.values():
        raise ValueError(
            f"{type(predictor).__name__}.costs leaves the MACs of a frame open, {costs}; they are the x-axis "
            "of figures: add up those of the networks that it is given"
        )
    return {length: {"gmacs": cost / 1e9, "macs_ratio": cost / teacher_macs} for length, cost in macs.items()}


def _amortised(
    predictor: Predictor,
    networks: Mapping[str, FrameCosts],
    lengths: Sequence[int],
    size: Sequence[int],
    store: FrameStore | None,
) -> dict[int, Cost]:
    if store is not None and getattr(predictor, "costs_vary", False):
        by_distance = _measured(predictor, networks, max(lengths), store)
        return {length: mean(by_distance[:length]) for length in lengths}
    predictor.begin(StreamInfo(1, (size[1], size[2])))
    costs = predictor.costs(networks)
    return {length: costs.amortised(length) for length in lengths}


def _measured(
    predictor: Predictor, networks: Mapping[str, FrameCosts], longest: int, store: FrameStore
) -> list[Cost]:
    """The mean cost of a frame at each distance to the key frame, with which every test clip begins."""
    clips = [frames[:longest] for frames in store.manifest.clips("test").values() if len(frames) >= longest]
    found: list[list[Cost]] = [[] for _ in range(longest)]
    for frames in clips:
        predictor.begin(stream_of(frame_batch(store, frames[:1])))
        for frame, costs in zip(frames, found, strict=True):
            predictor.answer(frame_batch(store, [frame]))
            costs.append(predictor.last_cost(networks))
    return [mean(costs) for costs in found]
