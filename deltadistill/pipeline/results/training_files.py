"""Files of a training: curve.csv, metrics.json, per_class.csv; of students layers.csv, architecture.json."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from deltadistill.pipeline.results.fields import Count, Error, Percent, Share, is_absent

# Columns of curve.csv.
PRETRAINING = ("step", "loss", "learning_rate", "tune_score")
DISTILLATION = ("step", "loss", "task", "distillation", "cost", "compressed_share", "tune_score")


@dataclass(frozen=True)
class TrainingStep:
    """One row of a training's curve.csv; None where not measured at that step, or never."""

    step: Count
    loss: float | None = None
    learning_rate: float | None = None
    task: float | None = None
    distillation: float | None = None
    cost: float | None = None
    compressed_share: Share | None = None
    tune_score: Percent | None = None


@dataclass(frozen=True)
class TrainingScore:
    """metrics.json of a training: main score on the tune split at the step kept; None where none was."""

    tune_score: Percent | None = None
    best_step: Count | None = None


@dataclass(frozen=True)
class DistillationScore(TrainingScore):
    """metrics.json of a variant: also the share of compressed layers, None for a network without students."""

    compressed_share: Share | None = None


@dataclass(frozen=True, config=ConfigDict(validate_by_name=True, serialize_by_alias=True))
class ClassScore:
    """One row of per_class.csv; NaN for a class that the tune split lacks."""

    name: Annotated[str, Field(alias="class")]
    score: float


@dataclass(frozen=True)
class LayerError:
    """One row of layers.csv: ‖Δz − g‖² / ‖Δz‖² on tune pairs, before and after training."""

    layer: str
    part: str
    error_before: Error
    error_after: Error


@dataclass(frozen=True)
class ArchitectureLayer:
    """The candidate the gate chose for one layer; probability is that of the compressed candidate."""

    name: str
    part: str
    candidate: Literal["compressed", "uncompressed"]
    gate_probability: Share | None = Field(default=None, kw_only=True)
    teacher_macs: Count
    macs: Count


@dataclass(frozen=True)
class MeasuredCosts:
    """What the search counted: of each block (uncompressed, compressed), of the rest, and of a key frame.

    unit: the search's cost, by name. It was measured, and comes out otherwise in another run.
    """

    unit: str
    blocks: dict[str, tuple[float, float]]
    rest: float
    teacher: float


@dataclass(frozen=True)
class Architecture:
    """architecture.json: what the search found, what the students predict, and their design.

    ``predicts`` and ``students`` are None for a network without students; ``blocks`` and ``rows_per_frame``
    are what stored.architecture applies to a network. ``costs``: of a search that does not count MACs.
    ``strides`` and ``red_blocks`` are those of a student that pools earlier (stored.early_student).
    """

    predicts: Literal["delta", "feature"] | None = None
    students: dict[str, Any] | None = None
    blocks: dict[str, str] | None = Field(default=None, exclude_if=lambda value: value is None)
    rows_per_frame: dict[str, Count] | None = Field(default=None, exclude_if=lambda value: value is None)
    layers: tuple[ArchitectureLayer, ...] = Field(kw_only=True)
    macs: dict[str, Count] | None = Field(default=None, exclude_if=is_absent)
    costs: MeasuredCosts | None = Field(default=None, exclude_if=is_absent)
    strides: dict[str, Count | tuple[Count, Count]] | None = Field(default=None, exclude_if=is_absent)
    red_blocks: dict[str, dict[str, Count]] | None = Field(default=None, exclude_if=is_absent)
