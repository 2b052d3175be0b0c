"""consistency.json and consistency.csv: how well successive predictions of one variant agree."""

from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from pydantic.dataclasses import dataclass

from deltadistill.pipeline.results.fields import Length, Percent, is_absent

_BUILT_IN = ("exact", "dis", "tracks", "classes")


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
    others: dict[str, dict[str, Warped]] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _others_stand_beside(cls, found: Any) -> Any:
        """Ways that a task of one's own compares in stand in the file as the built-in ones do."""
        if not isinstance(found, dict):
            return found
        own = {name: value for name, value in found.items() if name not in _BUILT_IN}
        return {name: found[name] for name in _BUILT_IN if name in found} | {"others": own}

    @model_serializer(mode="wrap")
    def _as_the_file_has_it(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written = dump(self)
        return written | written.pop("others")

    @model_validator(mode="after")
    def _there_is_one(self) -> "LengthConsistency":
        if not (self.dis or self.tracks or self.classes or self.others):
            raise ValueError("there is neither dis nor tracks nor classes, nor a way of a task of one's own")
        return self

    @property
    def counted(self) -> dict[str, dict[str, Warped]]:
        """What was counted, by what predictions were carried along, and over which pixels or pairs."""
        built_in = {way: vars(found) for way in _BUILT_IN if (found := getattr(self, way)) is not None}
        return built_in | self.others

    @property
    def headline(self) -> Warped:
        """Visible pixels under exact flow, or under DIS flow where none is known; tracks; classes; others."""
        whole, flow = self.tracks or self.classes, self.exact or self.dis
        if whole:
            return whole.all
        return flow.visible if flow else next(iter(self.others[self.along].values()))

    @property
    def along(self) -> str:
        """What the headline's predictions were carried along."""
        built_in = (way for way in ("tracks", "classes", "exact", "dis") if getattr(self, way))
        return next(built_in, None) or next(iter(self.others))


@dataclass(frozen=True)
class ConsistencyRow:
    """A row of consistency.csv."""

    length: Length
    along: str
    over: str
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
            for along, counted in ways.counted.items()
            for over, warped in counted.items()
        ]
