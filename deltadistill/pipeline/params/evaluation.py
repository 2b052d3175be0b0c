"""The sections of the stages that evaluate and report."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from deltadistill.pipeline.params.named import named_in
from deltadistill.pipeline.params.section import Count, Name, Positive, Section, unless_given
from deltadistill.predictors.registry import PREDICTORS, SCHEDULES
from deltadistill.runtime.registry import ENGINES

# What a variant is in the report, whatever its name is.
Role = Literal["teacher", "finetuned", "ours", "feature", "imitation", "copy", "small", "rival"]


# Whose network: a stage, and of distill which training.
NetworkName = Annotated[str, Field(pattern=r"^(pretrain_teacher|distill/[a-z0-9_]+)$")]
Argument = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class ProfileMacs(Section):
    """Stage profile_macs."""

    figure_layers: Positive


class EvaluatedVariant(Section):
    """A network and how it predicts a stream of frames.

    networks: further ones, by the names of the arguments under which its constructor takes them.
    options: of the predictor, by the names of its constructor's arguments.
    """

    network: NetworkName
    networks: dict[Argument, NetworkName] = Field(default_factory=dict, exclude_if=unless_given)
    predict: named_in(PREDICTORS)
    options: dict[str, Any] = Field(default_factory=dict, exclude_if=unless_given)


class SweepSequenceLength(Section):
    """Stage sweep_sequence_length; stream_memory: whether the peaks of streams are counted too."""

    lengths: Annotated[list[Positive], Field(min_length=1)]
    reference: Literal["labels", "teacher"]
    batch: Positive
    example_clips: Positive
    stream_memory: bool = Field(default=False, exclude_if=lambda value: not value)

    @model_validator(mode="after")
    def _lengths_rise(self) -> "SweepSequenceLength":
        if list(self.lengths) != sorted(set(self.lengths)):
            raise ValueError(f"lengths {self.lengths} must rise, each once")
        return self


def _one(value: object) -> bool:
    """Left out of records: every frame is."""
    return value == 1


class KeyFrames(Section):
    """A schedule of key frames, and the options of its constructor.

    scored_every: the first of so many frames is compared with the reference, all are answered. windows: so
    many seconds are a window of each video's course in videos.json; None: there are none.
    """

    schedule: named_in(SCHEDULES)
    options: dict[str, Any] = Field(default_factory=dict)
    scored_every: Positive = Field(default=1, exclude_if=_one)
    windows: Annotated[float, Field(gt=0)] | None = Field(default=None, exclude_if=unless_given)


class EvaluateVideos(Section):
    """Stage evaluate_videos; without variants there is none."""

    variants: list[Name]
    schedules: Annotated[dict[Name, KeyFrames], Field(min_length=1)]
    reference: Literal["labels", "teacher"]


class AnalyzeConsistency(Section):
    """Stage analyze_consistency; of longer clips the first `frames` are looked at, None: all."""

    dis_preset: Literal["ultrafast", "fast", "medium"]
    batch: Positive
    frames: Annotated[int, Field(ge=2)] | None = Field(default=None, exclude_if=unless_given)


class MeasureLatency(Section):
    """Stage measure_latency; of each list but engines the first is what summary and figures show.

    engines: "auto" is the fastest of those that can run here, beside the others in the list.
    """

    engines: Annotated[list[named_in(ENGINES, or_any="auto")], Field(min_length=1)]
    batches: Annotated[list[Positive], Field(min_length=1)]
    threads: Annotated[list[Positive | Literal["all"]], Field(min_length=1)]
    precisions: Annotated[list[Literal["fp32", "bf16", "int8"]], Field(min_length=1)]
    runs: Annotated[int, Field(ge=5)]
    warmup: Count
    seconds: Annotated[float, Field(gt=0)]

    @model_validator(mode="after")
    def _each_once(self) -> "MeasureLatency":
        for name in ("engines", "batches", "threads", "precisions"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ValueError(f"{name} {values}: each once")
        return self


class ShownAs(Section):
    """How the report takes and shows a variant (results.variants).

    role: None: by training method and predictor. label: None: the variant's name; plain words, as commas end
    a name in tables and figures read $ as mathematics. colour: None: the role's.
    """

    role: Role | None = None
    label: Annotated[str, Field(pattern=r"^[^_,$\s][^,$\n]{0,39}$")] | None = None
    colour: Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")] | None = None


class WriteReport(Section):
    """Stage write_report.

    shown_as: by names of `variants`; here, since it decides the report alone and makes no evaluation stale.
    pictures: whether frames of the data set are shown; False for data that may be measured on and not shown.
    """

    picture_lengths: Annotated[list[Positive], Field(min_length=1)]
    shown_as: dict[Name, ShownAs] = Field(default_factory=dict, exclude_if=unless_given)
    pictures: bool = Field(default=True, exclude_if=bool)

    def look_of(self, variant: str) -> ShownAs:
        """How a variant is shown; of one that is not listed nothing is said."""
        return self.shown_as.get(variant, ShownAs())
