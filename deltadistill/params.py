"""The experiment's parameters: params.yaml as typed, frozen, validated objects."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from deltadistill import amortised_target

NO_WEIGHTS = "weights/random"  # pretrain_teacher.start_from of a network with random weights

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$")]
Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Size = Annotated[tuple[Positive, Positive], Field(description="height and width, pixels")]


class Section(BaseModel):
    """A part of params.yaml: frozen, without unknown keys, without conversion of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Model(Section):
    """The per-frame network."""

    name: str
    options: dict[str, Any]


class GeneratedClips(Section):
    """Street clips made by the project itself."""

    train_clips: Positive
    tune_clips: Positive
    test_clips: Positive
    frames: Annotated[int, Field(ge=2)]
    height: Annotated[int, Field(ge=32)]
    width: Annotated[int, Field(ge=32)]
    noise: Annotated[float, Field(ge=0, le=0.5)]
    seed: Count
    workers: Positive


class Cityscapes(Section):
    """A folder in the layout of Cityscapes, read in place."""

    root: str
    label_table: Literal["cityscapes_19", "street_8"]
    train: Annotated[list[str], Field(min_length=1)]
    tune: list[str]
    tune_every: Annotated[int, Field(ge=2)]
    test: Annotated[list[str], Field(min_length=1)]
    frames_per_snippet: Positive
    labelled_frame: Count | None

    @model_validator(mode="after")
    def _label_lies_in_the_snippet(self) -> "Cityscapes":
        if self.labelled_frame is not None and self.labelled_frame >= self.frames_per_snippet:
            raise ValueError(
                f"labelled_frame {self.labelled_frame} lies outside a snippet of "
                f"{self.frames_per_snippet} frames (0 … {self.frames_per_snippet - 1} allowed)"
            )
        return self


class Video(Section):
    """Unlabelled video files or folders of frames."""

    paths: Annotated[list[str], Field(min_length=1)]
    label_table: Literal["cityscapes_19", "street_8"]
    height: Annotated[int, Field(ge=32)]
    width: Annotated[int, Field(ge=32)]
    train_fraction: Annotated[float, Field(gt=0, lt=1)]
    tune_fraction: Annotated[float, Field(gt=0, lt=1)]
    min_frames: Annotated[int, Field(ge=2)]
    max_frames: Positive | None
    scene_cut_threshold: Annotated[float, Field(gt=0, le=1)]

    @model_validator(mode="after")
    def _something_is_left_to_test_on(self) -> "Video":
        if self.train_fraction + self.tune_fraction >= 1:
            raise ValueError(
                f"train_fraction {self.train_fraction} + tune_fraction {self.tune_fraction} leaves "
                "nothing to test on; their sum must be below 1"
            )
        return self


class PrepareDataset(Section):
    """Stage prepare_dataset."""

    kind: Literal["generated", "cityscapes", "video"]
    generated: GeneratedClips
    cityscapes: Cityscapes
    video: Video


class Schedule(Section):
    """Course of the learning rate over the steps."""

    name: Literal["one_cycle", "poly", "constant"]
    power: Annotated[float, Field(gt=0)]


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


class TeacherOptimiser(Section):
    """Optimiser of the per-frame network."""

    name: Literal["adamw", "sgd"]
    learning_rate: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    momentum: Annotated[float, Field(ge=0, lt=1)]


class SegmentationLoss(Section):
    """Loss over pixels."""

    name: Literal["cross_entropy", "ohem"]
    ohem_threshold: Annotated[float, Field(gt=0, lt=1)]
    ohem_keep: Annotated[float, Field(gt=0, le=1)]
    class_weights: list[Annotated[float, Field(ge=0)]] | None


class PretrainTeacher(Section):
    """Stage pretrain_teacher."""

    start_from: str
    steps: Count
    batch: Positive
    optimiser: TeacherOptimiser
    schedule: Schedule
    loss: SegmentationLoss
    augment: AugmentParams
    evaluate_every: Positive


class Training(Section):
    """How trainings run on this machine; no part of their identity."""

    checkpoint_minutes: Annotated[float, Field(gt=0)]
    cache_gib: Annotated[float, Field(ge=0)]


class ProfileMacs(Section):
    """Stage profile_macs."""

    figure_layers: Positive


class DistillOptimiser(Section):
    """Optimiser of delta distillation: three learning rates."""

    name: Literal["adamw", "sgd"]
    weight_decay: Annotated[float, Field(ge=0)]
    momentum: Annotated[float, Field(ge=0, lt=1)]
    learning_rate_teacher: Annotated[float, Field(ge=0)]
    learning_rate_student: Annotated[float, Field(ge=0)]
    learning_rate_gate: Annotated[float, Field(ge=0)]
    clip_norm: Annotated[float, Field(gt=0)] | None


_DESIGN_SETTINGS = {
    "linear": ("gamma", "rank", "multiple", "initialisation"),
    "channel": ("gamma",),
    "spatial": ("stride",),
    "channel_spatial": ("gamma", "stride"),
}


class Students(Section):
    """Which students replace which blocks."""

    kind: Literal["linear", "channel", "spatial", "channel_spatial"]
    gamma: Positive
    stride: Positive
    rank: Literal["out", "min"]
    multiple: Positive
    initialisation: Literal["svd", "random", "data"]
    initialisation_clips: Annotated[int, Field(ge=2)]
    where: Literal[
        "inner_convolutions",
        "all_convolutions",
        "published_convolutions",
        "inner_layers",
        "all_layers",
        "residual_blocks",
    ]

    @property
    def design(self) -> dict[str, Any]:
        """The kind and the settings that it has, as blocks.designs.student_design takes them."""
        return {"kind": self.kind, **{name: getattr(self, name) for name in _DESIGN_SETTINGS[self.kind]}}


class AmortisedTarget(Section):
    """A cost per frame that the search is to reach."""

    cost: Annotated[float, Field(gt=0, le=1)]
    length: Annotated[int, Field(ge=2)]

    @model_validator(mode="after")
    def _lies_above_the_key_frames_share(self) -> "AmortisedTarget":
        amortised_target.AmortisedTarget(self.cost, self.length)  # says what is wrong with it
        return self


class Search(Section):
    """The learned choice between the candidates (section 3.2)."""

    initial_logit: float
    temperature: Annotated[float, Field(gt=0)]
    warmup: Share
    freeze: Share
    delta_budget: Annotated[float, Field(gt=0, le=1)] | None
    target: AmortisedTarget | None

    @model_validator(mode="after")
    def _one_bound_at_most(self) -> "Search":
        if self.delta_budget is not None and self.target is not None:
            raise ValueError("delta_budget and target exclude each other; set one of them to null")
        return self

    @model_validator(mode="after")
    def _freezing_follows_the_warm_up(self) -> "Search":
        if self.freeze < self.warmup:
            raise ValueError(f"freeze {self.freeze} lies before warmup {self.warmup}; gates would never act")
        return self


class DistillLoss(Section):
    """Weights of Eq. 5."""

    alpha: Annotated[float, Field(ge=0)]
    beta: Annotated[float, Field(ge=0)]
    task: Literal["labels", "teacher", "none"]


class TrainedVariant(Section):
    """One way to spend the training budget.

    changes: values of the distill section that this variant has its own, such as
        {students: {kind: channel}}. options: of the model, for method small.
    """

    method: Literal["per_frame", "delta", "feature", "small"]
    changes: dict[str, Any] = {}
    options: dict[str, Any] = {}

    @model_validator(mode="after")
    def _options_have_a_use(self) -> "TrainedVariant":
        if bool(self.options) != (self.method == "small"):
            raise ValueError("options (a cheaper model's) go with method small, and that with options")
        return self


class Distill(Section):
    """Stage distill."""

    steps: Positive
    batch: Positive
    clip_length: Annotated[int, Field(ge=2)]
    max_distance: Positive
    augment: AugmentParams
    optimiser: DistillOptimiser
    schedule: Schedule
    students: Students
    search: Search
    loss: DistillLoss
    variants: dict[Name, TrainedVariant]
    evaluate_every: Positive

    def of_variant(self, name: str) -> "Distill":
        """The section as variant `name` has it."""
        variant = self.variants[name]
        if "variants" in variant.changes:
            raise ValueError(f"variants.{name}.changes cannot hold variants")
        own = variant.model_copy(update={"changes": {}})
        return Distill.model_validate(
            _merged(self.model_dump(exclude={"variants"}), variant.changes) | {"variants": {name: own}}
        )

    @model_validator(mode="after")
    def _changes_are_possible(self) -> "Distill":
        for name, variant in self.variants.items():
            if variant.changes:
                try:
                    self.of_variant(name)
                except ValidationError as error:
                    faults = "; ".join(_fault(details) for details in error.errors())
                    raise ValueError(f"variants.{name}.changes: {faults}") from None
        return self

    @model_validator(mode="after")
    def _settings_fit_together(self) -> "Distill":
        if self.clip_length - 1 > self.max_distance:
            raise ValueError(
                f"clip_length {self.clip_length} needs max_distance of at least {self.clip_length - 1}, "
                f"got {self.max_distance}"
            )
        if self.loss.task != "labels" and self.optimiser.learning_rate_teacher > 0:
            raise ValueError(
                "without labels nothing holds the teacher's features in place while they are made easy "
                f"to distill; set optimiser.learning_rate_teacher to 0 (got "
                f"{self.optimiser.learning_rate_teacher})"
            )
        return self


class EvaluatedVariant(Section):
    """A network and how it predicts a stream of frames."""

    network: Annotated[str, Field(pattern=r"^(pretrain_teacher|distill/[a-z0-9_]+)$")]
    predict: Literal["per_frame", "stream", "copy"]


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


class Params(Section):
    """The whole of params.yaml."""

    experiment: Name
    seeds: Annotated[list[Count], Field(min_length=1)]
    model: Model
    prepare_dataset: PrepareDataset
    pretrain_teacher: PretrainTeacher
    training: Training
    profile_macs: ProfileMacs
    distill: Distill
    variants: dict[Name, EvaluatedVariant]
    sweep_sequence_length: SweepSequenceLength
    analyze_consistency: AnalyzeConsistency
    measure_latency: MeasureLatency
    write_report: WriteReport

    @model_validator(mode="after")
    def _there_is_a_teacher(self) -> "Params":
        if self.pretrain_teacher.steps == 0 and self.pretrain_teacher.start_from == NO_WEIGHTS:
            raise ValueError(
                f"pretrain_teacher.steps is 0 and start_from is {NO_WEIGHTS}: nothing to keep; train some "
                "steps or start from a checkpoint"
            )
        return self

    @model_validator(mode="after")
    def _sequences_fit_into_the_clips(self) -> "Params":
        if self.prepare_dataset.kind != "generated":
            return self  # how long the clips are is known when they have been read
        frames = self.prepare_dataset.generated.frames
        asked = {
            "distill.max_distance": self.distill.max_distance + 1,
            "sweep_sequence_length.lengths": max(self.sweep_sequence_length.lengths),
        }
        for key, length in asked.items():
            if length > frames:
                raise ValueError(
                    f"{key} asks for {length} frames in a row, but prepare_dataset.generated.frames "
                    f"is {frames}"
                )
        return self

    @model_validator(mode="after")
    def _streams_have_students(self) -> "Params":
        with_students = {
            f"distill/{name}"
            for name, variant in self.distill.variants.items()
            if variant.method in ("delta", "feature")
        }
        for name, variant in self.variants.items():
            if variant.predict == "stream" and variant.network not in with_students:
                raise ValueError(
                    f"variants.{name} predicts as a stream with {variant.network!r}, which has no students; "
                    f"allowed: {sorted(with_students)}, or predict: per_frame or copy"
                )
        return self

    @model_validator(mode="after")
    def _names_refer_to_something(self) -> "Params":
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds {self.seeds} must differ from one another")
        trained = {"pretrain_teacher", *(f"distill/{name}" for name in self.distill.variants)}
        for name, variant in self.variants.items():
            if variant.network not in trained:
                raise ValueError(
                    f"variants.{name}.network is {variant.network!r}, which nothing trains; "
                    f"allowed: {sorted(trained)}"
                )
        if "teacher" not in self.variants:
            raise ValueError("variants.teacher is missing; every figure is given beside the teacher's")
        unknown = set(self.write_report.picture_lengths) - set(self.sweep_sequence_length.lengths)
        if unknown:
            raise ValueError(
                f"write_report.picture_lengths {sorted(unknown)} are not among "
                f"sweep_sequence_length.lengths {self.sweep_sequence_length.lengths}"
            )
        return self


def _merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`values` with `changes` laid over them, mapping by mapping."""
    merged = dict(values)
    for key, change in changes.items():
        both = isinstance(change, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], change) if both else change
    return merged


def load(path: str | Path) -> Params:
    """Read and validate a parameter file.

    Raises ValueError that names every wrong key, its value and what is allowed.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such parameter file; run from the project's folder or give --params")
    try:
        content = YAML(typ="safe").load(path)
    except YAMLError as error:
        raise ValueError(f"{path}: not valid YAML: {error}") from None
    return parse(content, source=str(path))


def parse(content: object, *, source: str = "params") -> Params:
    """Validate the content of a parameter file; errors as for `load`."""
    if not isinstance(content, dict):
        raise ValueError(f"{source}: expected sections, got {type(content).__name__}")
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        faults = "\n".join(f"  {_fault(details)}" for details in error.errors())
        raise ValueError(f"{source}: {error.error_count()} wrong value(s)\n{faults}") from None


def _fault(details: Any) -> str:
    key = ".".join(str(part) for part in details["loc"]) or "(the whole file)"
    if details["type"] == "extra_forbidden":
        return f"{key}: unknown key; compare the spelling with params.yaml"
    if details["type"] == "missing":
        return f"{key}: missing"
    message = details["msg"].removeprefix("Value error, ")
    shown = "" if isinstance(details["input"], dict | Section) else f" (got {details['input']!r})"
    return f"{key}: {message}{shown}"
