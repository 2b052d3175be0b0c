"""consistency.json and consistency.csv: how well successive predictions of one variant agree."""

from typing import Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from deltadistill.pipeline.results.fields import Length, Percent, is_absent


@dataclass(frozen=True)
class Warped:
    """Consistency under one flow and one mask, and the share of pixels that counted, in percent.

    Of detections carried along tracks, the share of pairs. None where nothing could be compared.
    """

    consistency: Percent | None
    coverage: Percent | None


@dataclass(frozen=True)
class FlowScore:
    """Consistency without (``all``) and with (``visible``) the occlusion mask."""

    all: Warped
    visible: Warped


@dataclass(frozen=True)
class TrackScore:
    """Consistency of detections, where all tracks count, or of classes, where all pairs do."""

    all: Warped


@dataclass(frozen=True)
class LengthConsistency:
    """Consistency at one T: by exact flow, where the data set has it, by DIS flow; by tracks; of classes."""

    exact: FlowScore | None = Field(default=None, exclude_if=is_absent)
    dis: FlowScore | None = Field(default=None, exclude_if=is_absent)
    tracks: TrackScore | None = Field(default=None, exclude_if=is_absent)
    classes: TrackScore | None = Field(default=None, exclude_if=is_absent)

    @model_validator(mode="after")
    def _there_is_one(self) -> "LengthConsistency":
        if not (self.dis or self.tracks or self.classes):
            raise ValueError("there is neither dis nor tracks nor classes")
        return self

    @property
    def headline(self) -> Warped:
        """The visible pixels under exact flow, or under DIS flow where no flow is known; tracks; classes."""
        whole = self.tracks or self.classes
        return whole.all if whole else (self.exact or self.dis).visible

    @property
    def along(self) -> Literal["exact", "dis", "tracks", "classes"]:
        """What the headline's predictions were carried along."""
        return next(way for way in ("tracks", "classes", "exact", "dis") if getattr(self, way))


@dataclass(frozen=True)
class ConsistencyRow:
    """A row of consistency.csv."""

    length: Length
    along: Literal["exact", "dis", "tracks", "classes"]
    over: Literal["all", "visible"]
    consistency: Percent | None
    coverage: Percent | None


@dataclass(frozen=True)
class Consistency:
    """consistency.json of one variant."""

    variant: str
    lengths: dict[Length, LengthConsistency]

    @property
    def rows(self) -> list[ConsistencyRow]:
        """The rows of consistency.csv."""
        return [
            ConsistencyRow(length, along, over, warped.consistency, warped.coverage)
            for length, ways in self.lengths.items()
            for along, counted in vars(ways).items()
            if counted is not None
            for over, warped in vars(counted).items()
        ]
