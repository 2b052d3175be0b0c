"""Evaluation of whole videos: from first frame to last without a reset, score and cost of every frame."""

import functools
import math
import operator
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deltadistill.account.cost import Cost, FrameCosts, mean
from deltadistill.blocks.schedules import KeySchedule
from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Frame
from deltadistill.evaluation.counting import ONCE, Counting, count_batches
from deltadistill.evaluation.frames import Clips, frame_batch, rate_of, stream_of
from deltadistill.predictors.frame_batch import FrameBatch
from deltadistill.predictors.predictor import Predictor
from deltadistill.tasks.task import Metric, Predictions, Reference, Task


class Course:
    """What every answered frame of a video cost, and which were key frames; a counter of one video.

    updates: steps of an optimiser on each frame, where the predictor is one that learns.
    """

    def __init__(self):
        self.costs: list[Cost] = []
        self.are_key: list[bool] = []
        self.updates: list[int] = []

    def note(self, cost: Cost, *, is_key: bool, updates: int = 0) -> None:
        """Take down the next frame."""
        self.costs.append(cost)
        self.are_key.append(is_key)
        self.updates.append(updates)

    def state(self) -> dict[str, Any] | None:
        """See `metrics.counters.Counter`."""
        costs = [[cost.macs, cost.milliseconds, cost.bytes] for cost in self.costs]
        return {"costs": costs, "are_key": self.are_key, "updates": self.updates} if costs else None

    def add(self, state: Mapping[str, Any]) -> None:
        """See `metrics.counters.Counter`."""
        self.costs = self.costs + [Cost(*values) for values in state["costs"]]
        self.are_key = self.are_key + list(state["are_key"])
        self.updates = self.updates + list(state["updates"])


@dataclass
class Video:
    """What was counted of one video, frame by frame: a metric each, and what it cost."""

    metrics: list[Metric]
    course: Course = field(default_factory=Course)


def score_videos(
    predictor: Predictor,
    task: Task,
    store: FrameStore,
    clips: Clips,
    reference: Reference,
    *,
    schedule: KeySchedule,
    counts: Callable[[Frame], bool] | None = None,
    costs: Mapping[str, FrameCosts] | None = None,
    counting: Counting = ONCE,
    clock_ns: Callable[[], int] = time.perf_counter_ns,
) -> dict[str, Video]:
    """Run the predictor over every clip as one stream, and compare each of its answers.

    schedule: of key frames; begins again with every video.
    counts: whether a frame can be scored at all; None: every one can. All are answered.
    costs: of the predictor's networks, by name (account.network_costs); None: MACs are not known.
    Milliseconds are of the answer, without what makes the network's input.
    counting: of a video at a time: one that was interrupted is answered again from its first frame, since
        nobody else knows what a predictor remembers.
    """
    run = _Run(predictor, store, reference, schedule, counts, costs, clock_ns)
    counted = count_batches(
        list(clips.items()),
        lambda: {name: ([task.metric() for _ in frames], [Course()]) for name, frames in clips.items()},
        run.count,
        counting,
    )
    return {name: Video(metrics, course) for name, (metrics, (course,)) in counted.items()}


@dataclass(frozen=True)
class _Run:
    """Answers videos one by one."""

    predictor: Predictor
    store: FrameStore
    reference: Reference
    schedule: KeySchedule
    counts: Callable[[Frame], bool] | None
    costs: Mapping[str, FrameCosts] | None
    clock_ns: Callable[[], int]

    def count(self, counted: Mapping[str, Any], video: tuple[str, Sequence[Frame]]) -> None:
        name, frames = video
        metrics, (course,) = counted[name]
        first = frame_batch(self.store, frames[:1])
        self.predictor.begin(stream_of(first, self.schedule, frames_per_second=rate_of([frames])))
        for frame, metric in zip(frames, metrics, strict=True):
            (prediction,), milliseconds = self._answer(frame_batch(self.store, [frame], since=frames[:1]))
            course.note(
                self._cost(milliseconds),
                is_key=self.predictor.is_key_frame,
                updates=self.predictor.last_updates,
            )
            if self.counts is None or self.counts(frame):
                metric.update(prediction, self.reference(frame))

    def _answer(self, batch: FrameBatch) -> tuple[Predictions, float]:
        _ = batch.normalised  # made before the clock starts
        start = self.clock_ns()
        predictions = self.predictor.answer(batch)
        return predictions, (self.clock_ns() - start) / 1e6

    def _cost(self, milliseconds: float) -> Cost:
        last = Cost() if self.costs is None else self.predictor.last_cost(self.costs)
        return Cost(last.macs, milliseconds, self.predictor.state_bytes)


def describe_videos(task: Task, videos: Mapping[str, Video]) -> dict[str, Any]:
    """Over all videos together and of each: the main score in percent, the cost per frame, and curves.

    The score of several frames is that of all they count, as for a data set, not the mean of theirs. The
    curve's n-th entry is over the n-th frames of all videos that have one. "worst" is the lowest score of a
    single frame. None where nothing is known.
    """
    longest = max((len(video.metrics) for video in videos.values()), default=0)
    frames = [[(video, n) for video in videos.values() if n < len(video.metrics)] for n in range(longest)]
    every = [place for places in frames for place in places]
    singly = [task.score(video.metrics[n]) for video, n in every]
    return {
        **_described(task, every),
        "worst": min((100 * score for score in singly if not math.isnan(score)), default=None),
        "curve": [_described(task, places) for places in frames],
        "videos": {
            name: {**_described(task, places := [(video, n) for n in range(len(video.metrics))])}
            | {"curve": [_described(task, [place]) for place in places]}
            for name, video in videos.items()
        },
    }


def _described(task: Task, places: Sequence[tuple[Video, int]]) -> dict[str, Any]:
    """Score and cost of some frames, each given as its video and its number."""
    score = task.score(functools.reduce(operator.add, (video.metrics[n] for video, n in places)))
    cost = mean([video.course.costs[n] for video, n in places])
    return {
        task.measure.key: None if math.isnan(score) else 100 * score,
        "macs": cost.macs,
        "milliseconds": cost.milliseconds,
        "bytes": cost.bytes,
        "key_frames": sum(video.course.are_key[n] for video, n in places) / len(places),
    }
