"""sweep.json and sweep.csv: accuracy and MACs of one variant at every sequence length."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_serializer, model_validator
from pydantic.dataclasses import dataclass

from deltadistill.metrics.measures import MEASURES, Measure, measure_in
from deltadistill.pipeline.results.fields import Count, Length, Percent, Positive

_MEMORY = ("peak_mib", "published_peak_mib", "delta_peak_mib", "kept_mib")


@dataclass(frozen=True)
class LengthScore:
    """One sequence length of a sweep; ``gmacs`` is amortised per frame, an absent class has no score.

    ``peak_mib`` and ``published_peak_mib``: a frame's memory beside weights, with lifetimes and as ReDistill
    counts; None where not every frame runs the whole network. Of a stream that was counted ``peak_mib`` is
    the larger of a key frame's and a later one's, ``delta_peak_mib`` the latter, ``kept_mib`` the maps kept.

    ``measure`` is the key of the main score, under which the file has it; ``more`` are the scores beside it.
    """

    measure: str
    score: Percent
    gmacs: Positive
    macs_ratio: Positive
    per_class: dict[str, Percent | None]
    per_distance: tuple[Percent, ...]
    per_clip: dict[str, Percent | None] = Field(default_factory=dict)
    more: dict[str, Percent | None] = Field(default_factory=dict)
    peak_mib: Positive | None = None
    published_peak_mib: Positive | None = None
    delta_peak_mib: Positive | None = None
    kept_mib: Annotated[float, Field(ge=0)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _named_by_its_measure(cls, found: Any) -> Any:
        measure = measure_in(found)
        if measure is None:
            raise ValueError(f"none of the scores {', '.join(MEASURES)} is there")
        return {
            "measure": measure.key,
            "score": found[measure.key],
            "gmacs": found.get("gmacs"),
            "macs_ratio": found.get("macs_ratio"),
            "per_class": found.get(measure.class_key),
            "per_distance": found.get(f"{measure.key}_per_distance"),
            "per_clip": found.get(f"{measure.key}_per_clip", {}),
            **{key: found[key] for key in _MEMORY if key in found},
            "more": {key: found.get(key) for key in (*measure.also, *measure.parts)},
        }

    @model_serializer
    def _as_the_file_has_it(self) -> dict[str, Any]:
        measure = MEASURES[self.measure]
        return {
            measure.key: self.score,
            **self.more,
            measure.class_key: self.per_class,
            f"{measure.key}_per_distance": self.per_distance,
            f"{measure.key}_per_clip": self.per_clip,
            "gmacs": self.gmacs,
            "macs_ratio": self.macs_ratio,
            **{key: value for key in _MEMORY if (value := getattr(self, key)) is not None},
        }


@dataclass(frozen=True)
class SweepRow:
    """A row of sweep.csv."""

    length: Length
    score: Percent
    gmacs: Positive
    macs_ratio: Positive


@dataclass(frozen=True)
class Sweep:
    """sweep.json: accuracy (or fidelity to the teacher) for each sequence length T."""

    variant: str
    reference: Literal["labels", "teacher"]
    labelled_frames: Count
    lengths: dict[Length, LengthScore]

    @property
    def measure(self) -> Measure:
        """What accuracy is."""
        return MEASURES[next(iter(self.lengths.values())).measure]

    @property
    def rows(self) -> list[SweepRow]:
        """The rows of sweep.csv."""
        return [SweepRow(t, of.score, of.gmacs, of.macs_ratio) for t, of in self.lengths.items()]
