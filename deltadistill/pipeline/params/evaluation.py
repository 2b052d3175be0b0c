"""The sections of the stages that evaluate and report."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from deltadistill.pipeline.params.named import named_in
from deltadistill.pipeline.params.section import Count, Positive, Section
from deltadistill.predictors.registry import PREDICTORS


class ProfileMacs(Section):
    """Stage profile_macs."""

    figure_layers: Positive


class EvaluatedVariant(Section):
    """A network and how it predicts a stream of frames.

    options: of the predictor, by the names of its constructor's arguments; those of this library take none.
    """

    network: Annotated[str, Field(pattern=r"^(pretrain_teacher|distill/[a-z0-9_]+)$")]
    predict: named_in(PREDICTORS)
    options: dict[str, Any] = Field(default_factory=dict)


class SweepSequenceLength(Section):
    """Stage sweep_sequence_length."""

    lengths: Annotated[list[Positive], Field(min_length=1)]
    reference: Literal["labels", "teacher"]
    batch: Positive
    example_clips: Positive

    @model_validator(mode="after")
    def _lengths_rise(self) -> "SweepSequenceLength":
        if list(self.lengths) != sorted(set(self.lengths)):
            raise ValueError(f"lengths {self.lengths} must rise, each once")
        return self


class AnalyzeConsistency(Section):
    """Stage analyze_consistency."""

    dis_preset: Literal["ultrafast", "fast", "medium"]
    batch: Positive


class MeasureLatency(Section):
    """Stage measure_latency."""

    runs: Annotated[int, Field(ge=5)]
    warmup: Count
    threads: Positive


class WriteReport(Section):
    """Stage write_report."""

    picture_lengths: Annotated[list[Positive], Field(min_length=1)]
