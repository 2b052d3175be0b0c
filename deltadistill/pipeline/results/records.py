"""What the report reads of the result files, one frozen record a format; scores are in percent.

What else a file holds (figures that tracking or a person looks at) is passed over.
"""

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from deltadistill.files.limits import MOST_CLIP_FRAMES, MOST_PIXELS
from deltadistill.metrics.measures import MEASURES, Measure, measure_in


def _from_zero(value: float) -> float:
    if value < 0 or math.isinf(value):
        raise ValueError("an error is a number from 0, or NaN")
    return value


# A rounding error above 100 is no fault of the file.
Percent = Annotated[float, Field(ge=0, le=100.001, allow_inf_nan=False)]
Positive = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Error = Annotated[float, AfterValidator(_from_zero)]  # NaN where a layer's input never changes
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=2**62)]
Size = Annotated[int, Field(ge=1, le=MOST_PIXELS)]
Byte = Annotated[int, Field(ge=0, le=255)]
Length = Annotated[int, Field(ge=1, le=MOST_CLIP_FRAMES)]  # a sequence length T


@dataclass(frozen=True)
class ClassInfo:
    """One class: its name and its colour in pictures (RGB, 0 to 255)."""

    name: str
    color: tuple[Byte, Byte, Byte]


@dataclass(frozen=True)
class VideoInfo:
    """A video that frames were taken from; ``notes`` say what was left out of it and which stream it was."""

    name: str
    damaged: Count = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class DatasetInfo:
    """dataset.json beside the manifest; ``size`` is (height, width)."""

    kind: Literal[
        "generated",
        "cityscapes",
        "video",
        "masks",
        "generated_detection",
        "imagenet_vid",
        "coco_video",
        "generated_classification",
        "imagefolder",
    ]
    size: tuple[Size, Size]
    classes: tuple[ClassInfo, ...]
    frames: dict[str, Count]
    clips: dict[str, Count]
    flow: str | None = None
    videos: tuple[VideoInfo, ...] = ()


@dataclass(frozen=True)
class LengthScore:
    """One sequence length of a sweep; ``gmacs`` is amortised per frame, an absent class has no score.

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
            "more": {key: found.get(key) for key in (*measure.also, *measure.parts)},
        }


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
    """Consistency at one T: by exact flow, where the data set has it, and DIS flow; by tracks; of classes."""

    dis: FlowScore | None = None
    exact: FlowScore | None = None
    tracks: TrackScore | None = None
    classes: TrackScore | None = None

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
class Consistency:
    """consistency.json of one variant."""

    variant: str
    lengths: dict[Length, LengthConsistency]


@dataclass(frozen=True)
class MacConvention:
    """Total MACs of a teacher frame, a key frame and a delta frame, and amortised for each T."""

    teacher: Count
    key: Count
    delta: Count
    amortised: dict[Length, Positive]


@dataclass(frozen=True)
class Uncounted:
    """An operator that costs time but is in no MAC count; ``frames``: on which frames it runs."""

    operator: str
    calls: Count
    elements: Count | None = None
    frames: str = "every"


@dataclass(frozen=True)
class MacTotals:
    """totals.json: the two conventions for an input of ``size`` (C, H, W)."""

    size: tuple[Size, Size, Size]
    convolution: MacConvention
    published: MacConvention
    uncounted: tuple[Uncounted, ...] = ()


@dataclass(frozen=True)
class MacLayer:
    """One row of macs.csv."""

    layer: str
    part: str
    operator: str
    teacher_macs: Count
    convertible: bool
    reason: str | None = None


@dataclass(frozen=True)
class ArchitectureLayer:
    """The candidate the gate chose for one layer; probability is that of the compressed candidate."""

    name: str
    part: str
    candidate: Literal["compressed", "uncompressed"]
    teacher_macs: Count
    macs: Count
    gate_probability: Share | None = None


@dataclass(frozen=True)
class Architecture:
    """architecture.json: what the search found, what the students predict, and their design.

    ``predicts`` and ``students`` are None for a network without students.
    """

    layers: tuple[ArchitectureLayer, ...]
    predicts: Literal["delta", "feature"] | None = None
    students: dict[str, Any] | None = None


@dataclass(frozen=True)
class LayerError:
    """One row of layers.csv: ‖Δz − g‖² / ‖Δz‖² on tune pairs, before and after training."""

    layer: str
    part: str
    error_before: Error
    error_after: Error


@dataclass(frozen=True)
class TrainingScore:
    """metrics.json of a training: main score on the tune split at the step kept; None where none was."""

    tune_score: Percent | None = None


@dataclass(frozen=True)
class TrainingStep:
    """One row of a training's curve.csv; None where not measured at that step, or never."""

    step: Count
    tune_score: Percent | None = None
    compressed_share: Share | None = None


@dataclass(frozen=True)
class Timing:
    """Milliseconds over many runs."""

    median: Positive
    p95: Positive


@dataclass(frozen=True)
class VariantLatency:
    """Times of one variant; a per-frame variant has only ``frame_ms``."""

    frame_ms: Timing | None = None
    key_ms: Timing | None = None
    delta_ms: Timing | None = None
    amortised_ms: dict[Length, Positive] = Field(default_factory=dict)
    speedup: dict[Length, Positive] = Field(default_factory=dict)
    macs_bound: dict[Length, Positive] = Field(default_factory=dict)
    state_bytes: Count | None = None


@dataclass(frozen=True)
class Latency:
    """latency.json: measured on one machine with an input of ``size`` (C, H, W)."""

    size: tuple[Size, Size, Size]
    runs: Count
    threads: Count
    variants: dict[str, VariantLatency]
    machine: dict[str, Any] = Field(default_factory=dict)
    versions: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class Provenance:
    """provenance.json of one stage run: when, how long, from which commit, with which parameters."""

    stage: str
    minutes: Positive
    seed: Count | None = None
    variant: str | None = None
    started: str | None = None
    commit: str | None = None
    dirty: bool | None = None
    params: Any = None
    versions: dict[str, Any] = Field(default_factory=dict)
