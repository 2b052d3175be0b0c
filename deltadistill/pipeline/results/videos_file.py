"""videos.json and videos.csv: a variant over whole videos, at every schedule of key frames."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_serializer, model_validator
from pydantic.dataclasses import dataclass

from deltadistill.metrics.measures import MEASURES, Measure, measure_in
from deltadistill.pipeline.results.fields import Percent, Positive, Share


def _none(value: object) -> bool:
    """Left out of the file: there are none."""
    return not value


@dataclass(frozen=True)
class FramesScore:
    """Some frames: the score of those that count, and the mean of what each cost; None where not known.

    ``measure`` is the key of the score, under which the file has it; ``key_frames`` the share of key frames.
    """

    measure: str
    score: Percent | None
    gmacs: Positive | None
    milliseconds: Positive | None
    state_bytes: Positive | None
    key_frames: Share

    @model_validator(mode="before")
    @classmethod
    def _named_by_its_measure(cls, found: Any) -> Any:
        measure = measure_in(found)
        if measure is None:
            raise ValueError(f"none of the scores {', '.join(MEASURES)} is there")
        rest = {key: value for key, value in found.items() if key != measure.key}
        return {"measure": measure.key, "score": found[measure.key], **rest}

    @model_serializer
    def _as_the_file_has_it(self) -> dict[str, Any]:
        return {
            self.measure: self.score,
            "gmacs": self.gmacs,
            "milliseconds": self.milliseconds,
            "state_bytes": self.state_bytes,
            "key_frames": self.key_frames,
        }


@dataclass(frozen=True)
class WindowScore:
    """Some seconds of a video: when they begin, percent or None, and of a frame the mean of what it took."""

    begins: Annotated[float, Field(ge=0)]
    frames: Annotated[int, Field(ge=1)]
    score: Percent | None
    key_frames: Share
    updates: Annotated[float, Field(ge=0)]
    gmacs: Positive | None
    milliseconds: Positive | None


@dataclass(frozen=True)
class ScheduleScore:
    """One schedule: all frames together, the n-th frames of all videos, and each video.

    worst: the lowest score of a single frame; None where not known, and in files of before it was taken down.
    windows: of each video, where the schedule asks for them.
    """

    whole: FramesScore
    macs_ratio: Positive | None
    curve: tuple[FramesScore, ...]
    videos: dict[str, FramesScore]
    worst: Percent | None = None
    windows: dict[str, tuple[WindowScore, ...]] = Field(default_factory=dict, exclude_if=_none)


@dataclass(frozen=True)
class VideoRow:
    """A row of videos.csv."""

    schedule: str
    score: Percent | None
    gmacs: Positive | None
    macs_ratio: Positive | None
    milliseconds: Positive | None
    key_frames: Share


@dataclass(frozen=True)
class Videos:
    """videos.json: accuracy (or fidelity to the teacher) and cost at each schedule."""

    variant: str
    reference: Literal["labels", "teacher"]
    schedules: dict[str, ScheduleScore] = Field(min_length=1)

    @property
    def measure(self) -> Measure:
        """What accuracy is."""
        return MEASURES[next(iter(self.schedules.values())).whole.measure]

    @property
    def rows(self) -> list[VideoRow]:
        """The rows of videos.csv."""
        return [
            VideoRow(name, of.score, of.gmacs, found.macs_ratio, of.milliseconds, of.key_frames)
            for name, found in self.schedules.items()
            for of in (found.whole,)
        ]


def score_of(described: Mapping[str, Any], teacher_macs: float) -> ScheduleScore:
    """What evaluation.videos.describe_videos says of one schedule; teacher_macs: of one of its frames."""
    macs = described["macs"]
    return ScheduleScore(
        _frames(described),
        None if macs is None else macs / teacher_macs,
        tuple(map(_frames, described["curve"])),
        {name: _frames(video) for name, video in described["videos"].items()},
        described["worst"],
        {name: tuple(map(_window, found)) for name, found in described.get("windows", {}).items()},
    )


def _window(window: Any) -> WindowScore:
    """Of an evaluation.windows.Window, which who reads files does not import."""
    score, macs = window.score, window.cost.macs
    return WindowScore(
        window.begins,
        window.frames,
        None if math.isnan(score) else 100 * score,
        window.key_frames,
        window.updates,
        None if macs is None else macs / 1e9,
        window.cost.milliseconds,
    )


def _frames(described: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a FramesScore, as its file has them."""
    measure, macs = measure_in(dict(described)), described["macs"]
    assert measure is not None, described
    return {
        measure.key: described[measure.key],
        "gmacs": None if macs is None else macs / 1e9,
        "milliseconds": described["milliseconds"],
        "state_bytes": described["bytes"],
        "key_frames": described["key_frames"],
    }
