"""Temporal consistency of a variant over clips, at several sequence lengths in one pass."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import torch

from deltadistill.consistency.agreement import Agreement, Meter, Pairs, Way
from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Frame
from deltadistill.evaluation.frames import Clips, inputs
from deltadistill.evaluation.sharing import share
from deltadistill.processes import ALONE, Group
from deltadistill.tasks import Predictions
from deltadistill.variants import Variant

Scores = dict[int, dict[str, dict[str, dict[str, float | None]]]]
"""T → what predictions are carried along ("exact", "dis", "tracks") → what counts ("all", "visible") →
{"consistency", "coverage"} in percent, None where nothing could be compared."""


def measure(
    variants: Mapping[int, Variant],
    store: FrameStore,
    clips: Clips,
    agreement: Agreement,
    *,
    batch: int,
    progress: Callable[[Sequence], Iterable] = iter,
    group: Group = ALONE,
) -> Scores:
    """Run the variant of each sequence length T over every clip and compare successive predictions.

    `variants` maps T to a variant with that period; clips start with a key frame and `batch` of equal
    length run side by side. All T share each frame and each flow, which are held for one pair only.
    group: processes that share the batches; each gets all scores.
    Raises ValueError when no clip has two frames.
    """
    if all(len(frames) < 2 for frames in clips.values()):
        raise ValueError("no clip has two frames; temporal consistency compares successive predictions")
    meters = {(length, way): agreement.meter() for length in variants for way in agreement.ways}
    for together in progress(share(list(_side_by_side(clips, batch)), group)):
        _run(variants, store, together, agreement, meters)
    totals = group.total(torch.stack([meter.totals for meter in meters.values()]))
    for meter, counted in zip(meters.values(), totals, strict=True):
        meter.totals = counted
    scores: Scores = {length: {along: {} for along, _ in agreement.ways} for length in variants}
    for (length, (along, over)), meter in meters.items():
        scores[length][along][over] = {
            "consistency": _known(meter.percent()),
            "coverage": _known(meter.coverage_percent()),
        }
    return scores


def _known(percent: float) -> float | None:
    return None if math.isnan(percent) else percent


def _run(
    variants: Mapping[int, Variant],
    store: FrameStore,
    together: Sequence[Sequence[Frame]],
    agreement: Agreement,
    meters: Mapping[tuple[int, Way], Meter],
) -> None:
    before: dict[int, Predictions] = {}
    for variant in variants.values():
        variant.reset()
    for index in range(len(together[0])):
        frame = inputs(store, [frames[index] for frames in together])
        now = {length: variant.predict(frame) for length, variant in variants.items()}
        if index:
            pairs = [(frames[index - 1], frames[index]) for frames in together]
            _count(before, now, pairs, agreement, meters)
        before = now


def _count(
    before: Mapping[int, Predictions],
    now: Mapping[int, Predictions],
    pairs: Pairs,
    agreement: Agreement,
    meters: Mapping[tuple[int, Way], Meter],
) -> None:
    for way, compare in agreement.between(pairs):
        for length in now:
            compare(meters[length, way], before[length], now[length])


def _side_by_side(clips: Clips, batch: int) -> Iterator[list[Sequence[Frame]]]:
    by_length: dict[int, list[Sequence[Frame]]] = defaultdict(list)
    for frames in clips.values():
        by_length[len(frames)].append(frames)
    for _, equal in sorted(by_length.items()):
        for start in range(0, len(equal), batch):
            yield equal[start : start + batch]
