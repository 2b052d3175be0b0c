"""Evaluation of predictors: every labelled frame at every position of a sequence (§4.2)."""

import functools
import math
import operator
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Frame
from deltadistill.evaluation.counting import ONCE, Counting, count_batches
from deltadistill.evaluation.frames import Clips, frame_batch, rate_of, stream_of
from deltadistill.metrics.measures import Measure
from deltadistill.predictors.predictor import Predictor
from deltadistill.tasks.task import Metric, Predictions, Reference, Scores, Task


@dataclass(frozen=True)
class Run:
    """A stream over consecutive frames of one clip, key frame first; `scored` of them count."""

    frames: tuple[Frame, ...]
    scored: tuple[bool, ...]


def scored(runs: Iterable[Run]) -> set[Frame]:
    """The frames that count in any of the runs."""
    return {frame for run in runs for frame, counts in zip(run.frames, run.scored, strict=True) if counts}


def scored_frames(clips: Clips, longest: int, counts: Callable[[Frame], bool] | None) -> dict[str, list[int]]:
    """Positions in each clip of the frames to score: those that can stand at every distance < longest.

    counts: whether a frame can be scored at all; None: every one can. One set of frames serves every
    sequence length, so that figures at different lengths are comparable.
    """
    return {
        name: [
            index
            for index, frame in enumerate(frames)
            if index >= longest - 1 and (counts is None or counts(frame))
        ]
        for name, frames in clips.items()
    }


def position_runs(clips: Clips, longest: int, *, counts: Callable[[Frame], bool] | None = None) -> list[Run]:
    """Runs that put every frame that counts at each distance 0 … longest − 1 from its key frame.

    counts: as for `scored_frames`.
    """
    runs = []
    for name, scored in scored_frames(clips, longest, counts).items():
        wanted = set(scored)
        starts = sorted({index - distance for index in scored for distance in range(longest)})
        for start in starts:
            last = max(index for index in scored if index < start + longest)
            span = range(start, last + 1)
            runs.append(Run(tuple(clips[name][i] for i in span), tuple(i in wanted for i in span)))
    return runs


def score_positions(
    predictor: Predictor,
    task: Task,
    store: FrameStore,
    runs: Sequence[Run],
    reference: Reference,
    *,
    longest: int,
    batch: int,
    counting: Counting = ONCE,
) -> dict[str, list[Metric]]:
    """The task's metrics of every clip, one per distance to the key frame, 0 … longest − 1.

    Every run is a stream of its own, of which only the first frame is a key frame.
    """
    clips = list(dict.fromkeys(run.frames[0].clip for run in runs))
    scoring = _Scoring(predictor, store, reference)
    if not predictor.uses_history:
        batches, empty = _of_single_frames(runs, batch), lambda: {clip: task.metric() for clip in clips}
        single = count_batches(batches, empty, scoring.count_frames, counting)
        return {clip: [metric] * longest for clip, metric in single.items()}
    return count_batches(
        list(_of_equal_length(runs, batch)),
        lambda: {clip: [task.metric() for _ in range(longest)] for clip in clips},
        scoring.count_runs,
        counting,
    )


@dataclass(frozen=True)
class _Scoring:
    """Compares a predictor's answers for batches with the reference."""

    predictor: Predictor
    store: FrameStore
    reference: Reference

    def count_frames(self, metrics: Mapping[str, Metric], frames: Sequence[Frame]) -> None:
        for frame, prediction in zip(
            frames, self._begin(frames, [(frame,) for frame in frames]), strict=True
        ):
            metrics[frame.clip].update(prediction, self.reference(frame))

    def count_runs(self, metrics: Mapping[str, Sequence[Metric]], together: Sequence[Run]) -> None:
        streams = [run.frames for run in together]
        for distance in range(len(streams[0])):
            frames = [run.frames[distance] for run in together]
            predictions = self._go_on(frames, streams) if distance else self._begin(frames, streams)
            for run, frame, prediction in zip(together, frames, predictions, strict=True):
                if run.scored[distance]:
                    metrics[frame.clip][distance].update(prediction, self.reference(frame))

    def _begin(self, frames: Sequence[Frame], streams: Sequence[Sequence[Frame]]) -> Predictions:
        first = frame_batch(self.store, frames, since=frames)
        self.predictor.begin(stream_of(first, frames_per_second=rate_of(streams)))
        return self.predictor.answer(first)

    def _go_on(self, frames: Sequence[Frame], streams: Sequence[Sequence[Frame]]) -> Predictions:
        first = [stream[0] for stream in streams]
        return self.predictor.answer(frame_batch(self.store, frames, since=first))


def over_all_clips(metrics: Mapping[str, Sequence[Metric]]) -> list[Metric]:
    """Sum the metrics of all clips, distance by distance; of one and the same at all distances, once."""
    columns = list(zip(*metrics.values(), strict=True))
    if all(one is other for column in columns for one, other in zip(column, columns[0], strict=True)):
        return [functools.reduce(operator.add, columns[0])] * len(columns)
    return [functools.reduce(operator.add, column) for column in columns]


def scores_by_length(
    task: Task, metrics: Mapping[str, Sequence[Metric]], lengths: Sequence[int], classes: Sequence[str]
) -> dict[int, dict[str, object]]:
    """Scores at every sequence length, percent: over all clips together, and the main score of each clip."""
    longest = max(lengths)
    together = _each_once(task.scores, over_all_clips(metrics)[:longest])
    per_clip = {clip: _each_once(task.score, of_clip[:longest]) for clip, of_clip in metrics.items()}
    return {
        length: {
            **length_scores(together, length, classes, task.measure),
            f"{task.measure.key}_per_clip": {
                clip: _percents_mean(found[:length]) for clip, found in per_clip.items()
            },
        }
        for length in lengths
    }


def length_scores(
    scores: Sequence[Scores], length: int, classes: Sequence[str], measure: Measure
) -> dict[str, object]:
    """Scores at one sequence length, percent: the mean over its positions, as the paper has it.

    scores: at each distance to the key frame. What a class or a part scores is averaged over the positions
    where it occurs; None where it occurs nowhere.
    """
    positions = scores[:length]
    main = [found.overall[measure.key] for found in positions]
    others = {
        key: _percent(_mean([found.overall[key] for found in positions]))
        for key in (*measure.also, *measure.parts)
    }
    per_class = _mean([found.by_class for found in positions])
    return {
        measure.key: _percents_mean(main),
        **others,
        measure.class_key: {name: _percent(value) for name, value in zip(classes, per_class, strict=True)},
        f"{measure.key}_per_distance": [100 * value for value in main],
    }


def _each_once(score: Callable[[Metric], Any], metrics: Sequence[Metric]) -> list[Any]:
    """The score of each metric; those of a predictor without history are one and the same."""
    found = {number: score(metric) for number, metric in {id(m): m for m in metrics}.items()}
    return [found[id(metric)] for metric in metrics]


def _percents_mean(values: Sequence[float]) -> float | None:
    """The mean over all positions, percent; None where a position has nothing to score."""
    mean = sum(100 * value for value in values) / len(values)
    return None if math.isnan(mean) else mean


def _mean(values: Sequence) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).nanmean(0)


def _percent(value: Tensor) -> float | None:
    return None if value.isnan() else 100 * value.item()


def _of_single_frames(runs: Sequence[Run], batch: int) -> list[list[Frame]]:
    frames = sorted(scored(runs), key=lambda frame: (frame.clip, frame.index))
    return [frames[start : start + batch] for start in range(0, len(frames), batch)]


def _of_equal_length(runs: Sequence[Run], batch: int) -> Iterator[list[Run]]:
    by_length = defaultdict(list)
    for run in runs:
        by_length[len(run.frames)].append(run)
    for _, equal in sorted(by_length.items()):
        for start in range(0, len(equal), batch):
            yield equal[start : start + batch]
