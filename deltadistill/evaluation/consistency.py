"""Temporal consistency of a predictor over clips, at several sequence lengths in one pass."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from deltadistill.blocks.schedules import FixedPeriod
from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Frame
from deltadistill.evaluation.agreement import Agreement, Meter, Pairs, Way
from deltadistill.evaluation.counting import ONCE, Counting, count_batches
from deltadistill.evaluation.frames import Clips, frame_batch, rate_of, stream_of
from deltadistill.predictors.predictor import Predictor
from deltadistill.tasks.task import Predictions

Scores = dict[int, dict[str, dict[str, dict[str, float | None]]]]
"""T → what predictions are carried along ("exact", "dis", "tracks", "classes") → what counts ("all",
"visible") → {"consistency", "coverage"} in percent, None where nothing could be compared."""


def measure(
    predictors: Mapping[int, Predictor],
    store: FrameStore,
    clips: Clips,
    agreement: Agreement,
    *,
    batch: int,
    counting: Counting = ONCE,
) -> Scores:
    """Run the predictor of each sequence length T over every clip and compare successive predictions.

    `predictors` maps T to a predictor of its own, which is given a key frame every T frames; clips start with
    one, and `batch` of equal length run side by side. All T share each frame and each flow, which are held
    for one pair only.
    Raises ValueError when no clip has two frames.
    """
    if not has_sequences(clips):
        raise ValueError("no clip has two frames; temporal consistency compares successive predictions")
    meters = count_batches(
        list(_side_by_side(clips, batch)),
        lambda: {(length, way): agreement.meter() for length in predictors for way in agreement.ways},
        lambda meters, together: _run(predictors, store, together, agreement, meters),
        counting,
    )
    scores: Scores = {length: {along: {} for along, _ in agreement.ways} for length in predictors}
    for (length, (along, over)), meter in meters.items():
        scores[length][along][over] = {
            "consistency": _known(meter.percent()),
            "coverage": _known(meter.coverage_percent()),
        }
    return scores


def has_sequences(clips: Clips) -> bool:
    """Whether any clip has successive frames; stills have none."""
    return any(len(frames) > 1 for frames in clips.values())


def unknown(lengths: Iterable[int], agreement: Agreement) -> Scores:
    """What there is to say of stills: nothing, in every way and at every T."""
    none: dict[str, dict[str, dict[str, float | None]]] = {}
    for along, over in agreement.ways:
        none.setdefault(along, {})[over] = {"consistency": None, "coverage": None}
    return dict.fromkeys(lengths, none)


def _known(percent: float) -> float | None:
    return None if math.isnan(percent) else percent


def _run(
    predictors: Mapping[int, Predictor],
    store: FrameStore,
    together: Sequence[Sequence[Frame]],
    agreement: Agreement,
    meters: Mapping[tuple[int, Way], Meter],
) -> None:
    before: dict[int, Predictions] = {}
    for index in range(len(together[0])):
        batch = frame_batch(
            store, [frames[index] for frames in together], since=[frames[0] for frames in together]
        )
        if not index:
            for length, predictor in predictors.items():
                predictor.begin(stream_of(batch, FixedPeriod(length), frames_per_second=rate_of(together)))
        now = {length: predictor.answer(batch) for length, predictor in predictors.items()}
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
