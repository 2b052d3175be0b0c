"""The course of a long video in windows of time: score, asked frames, cost, of every 30 seconds."""

import functools
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deltadistill.account.cost import Cost, mean
from deltadistill.data.manifest import Frame
from deltadistill.evaluation.videos import Video
from deltadistill.tasks.task import Metric


@dataclass(frozen=True)
class Window:
    """Some frames of a video, one after another.

    begins: of the window, seconds from the first frame. score: of all frames that count together, 0 to 1,
    NaN where none does. key_frames: share of frames that were key frames, or labelled. cost: of a frame.
    updates: steps of an optimiser on a frame, the mean.
    """

    begins: float
    frames: int
    score: float
    key_frames: float
    cost: Cost
    updates: float = 0.0


def times(frames: Sequence[Frame]) -> list[float]:
    """When the frames of a video are shown, seconds; ValueError where the data set does not say."""
    known = [frame.seconds for frame in frames if frame.seconds is not None]
    if len(known) < len(frames):
        raise ValueError(
            f"{frames[0].clip}: its frames have no times, so it has no windows of seconds; leave "
            "evaluate_videos.schedules.….windows out"
        )
    return known


def windows(
    video: Video, seconds: Sequence[float], score: Callable[[Metric], float], *, length: float = 30.0
) -> list[Window]:
    """A video window by window; the last may be shorter, one without frames is not there.

    seconds: time stamps of all frames that were answered. score: of a metric, such as `task.score`, or
        `functools.partial(present_miou, background=0)`. length: of a window, seconds.
    Raises ValueError for a length that is not above 0, and for another number of time stamps than frames.
    """
    if not length > 0:
        raise ValueError(f"windows of {length} seconds; expected more than 0")
    if len(seconds) != len(video.metrics):
        raise ValueError(f"{len(seconds)} time stamps for {len(video.metrics)} frames; expected one each")
    places: dict[int, list[int]] = {}
    for n, second in enumerate(seconds):
        places.setdefault(int((second - seconds[0]) // length), []).append(n)
    return [_window(number * length, video, frames, score) for number, frames in sorted(places.items())]


def _window(begins: float, video: Video, frames: Sequence[int], score: Callable[[Metric], float]) -> Window:
    course = video.course
    return Window(
        begins,
        len(frames),
        score(functools.reduce(operator.add, (video.metrics[n] for n in frames))),
        sum(course.are_key[n] for n in frames) / len(frames),
        mean([course.costs[n] for n in frames]),
        sum(course.updates[n] for n in frames) / len(frames),
    )
