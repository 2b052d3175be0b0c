"""Whole videos in the summary: score and cost of each variant at each schedule, mean over seeds."""

from collections.abc import Sequence

from pydantic.dataclasses import dataclass

from deltadistill.pipeline.results.results import Results
from deltadistill.pipeline.results.scores import average
from deltadistill.pipeline.results.videos_file import ScheduleScore


@dataclass(frozen=True)
class VideoPoint:
    """A variant at one schedule: percent, and per frame GMACs, their share of the teacher's, milliseconds.

    key_frames: their share. score_std: sample standard deviation over seeds. worst: the lowest score of a
    single frame. None where not known.
    """

    score: float | None
    gmacs: float | None
    macs_ratio: float | None
    milliseconds: float | None
    key_frames: float | None
    score_std: float | None = None
    worst: float | None = None


VideoPoints = dict[str, dict[str, VideoPoint]]
"""Variant → name of the schedule → its figures."""


def video_points(results: Results) -> VideoPoints:
    """The figures of all variants that were run over whole videos; empty where none was."""
    return {
        name: {
            schedule: _point([by_seed[seed].schedules[schedule] for seed in results.seeds])
            for schedule in next(iter(by_seed.values())).schedules
        }
        for name, by_seed in results.videos.items()
    }


def _point(by_seed: Sequence[ScheduleScore]) -> VideoPoint:
    score, deviation = _average([of.whole.score for of in by_seed])
    return VideoPoint(
        score=_rounded(score, 3),
        gmacs=_rounded(_average([of.whole.gmacs for of in by_seed])[0], 5),
        macs_ratio=_rounded(_average([of.macs_ratio for of in by_seed])[0], 4),
        milliseconds=_rounded(_average([of.whole.milliseconds for of in by_seed])[0], 3),
        key_frames=_rounded(_average([of.whole.key_frames for of in by_seed])[0], 4),
        score_std=_rounded(deviation, 3),
        worst=_rounded(_average([of.worst for of in by_seed])[0], 3),
    )


def _average(values: Sequence[float | None]) -> tuple[float | None, float | None]:
    known = [value for value in values if value is not None]
    return average(known) if known and len(known) == len(values) else (None, None)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
