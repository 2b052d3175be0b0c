"""The sections of the stage pretrain_teacher and of trainings in general, and what all trainings share."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from deltadistill.pipeline.params.section import Count, Positive, Section

Decay = Annotated[float, Field(gt=0, lt=1)]
Precision = Literal["float32", "bfloat16", "float16"]
NO_WEIGHTS = "weights/random"  # pretrain_teacher.start_from of a network with random weights
OWN_WEIGHTS = "weights/own"  # the same of one that comes with weights, as its builder makes it


class Schedule(Section):
    """Course of the learning rate over the steps."""

    name: Literal["one_cycle", "poly", "step", "constant"]
    power: Annotated[float, Field(gt=0)]
    drops: list[Annotated[float, Field(gt=0, lt=1)]]

    @model_validator(mode="after")
    def _drops_rise(self) -> "Schedule":
        if self.drops != sorted(set(self.drops)):
            raise ValueError(f"drops {self.drops} must rise, each once")
        if self.name == "step" and not self.drops:
            raise ValueError("schedule step has no drops and would be constant; name that, or give drops")
        return self


class AugmentParams(Section):
    """Random crop, scale and flip, the same for all frames of a clip."""

    crop: Annotated[tuple[Positive, Positive], Field(strict=False)]
    scale: Annotated[tuple[float, float], Field(strict=False)]
    flip: bool

    @model_validator(mode="after")
    def _scale_is_a_range(self) -> "AugmentParams":
        low, high = self.scale
        if not 0.1 <= low <= high <= 10:
            raise ValueError(f"scale {[low, high]} must be two rising numbers between 0.1 and 10")
        return self


class OnlyLearn(Section):
    """Between the shares `starts` and `until` of the steps, only what is in these modules learns."""

    modules: Annotated[list[str], Field(min_length=1)]
    starts: Annotated[float, Field(ge=0, lt=1)] = 0.0
    until: Annotated[float, Field(gt=0, le=1)] = 1.0

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> "OnlyLearn":
        if self.until <= self.starts:
            raise ValueError(f"until {self.until} is not after starts {self.starts}; it would never hold")
        return self


class TeacherOptimiser(Section):
    """Optimiser of the per-frame network."""

    name: Literal["adamw", "sgd"]
    learning_rate: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    momentum: Annotated[float, Field(ge=0, lt=1)]
    clip_norm: Annotated[float, Field(gt=0)] | None
    only_learn: list[OnlyLearn] = Field(default_factory=list)


class TaskLoss(Section):
    """Loss against labels, over pixels or frames; detectors have their own."""

    name: Literal["cross_entropy", "ohem"]
    ohem_threshold: Annotated[float, Field(gt=0, lt=1)]
    ohem_keep: Annotated[float, Field(gt=0, le=1)]
    class_weights: list[Annotated[float, Field(ge=0)]] | None
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0


class PretrainTeacher(Section):
    """Stage pretrain_teacher."""

    start_from: str
    steps: Count
    batch: Positive
    optimiser: TeacherOptimiser
    schedule: Schedule
    ema_decay: Decay | None
    precision: Precision
    batch_norm: Literal["synchronised", "frozen"]
    loss: TaskLoss
    augment: AugmentParams
    evaluate_every: Positive

    @model_validator(mode="after")
    def _frozen_statistics_are_some(self) -> "PretrainTeacher":
        if self.batch_norm == "frozen" and self.start_from == NO_WEIGHTS:
            raise ValueError(
                f"batch_norm is frozen, but start_from is {NO_WEIGHTS}: there are no statistics to keep; "
                "start from a checkpoint, or set batch_norm to synchronised"
            )
        return self


class Training(Section):
    """How trainings run on this machine; no part of their identity."""

    checkpoint_minutes: Annotated[float, Field(gt=0)]
    cache_gib: Annotated[float, Field(ge=0)]
    loading_threads: Count
    frames_at_once: Positive | None
