"""The section of the stage distill."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from deltadistill.account import amortised_target
from deltadistill.blocks.registry import DESIGNS
from deltadistill.conversion.registry import SELECTORS
from deltadistill.distillation.registry import COSTS
from deltadistill.objectives.registry import OBJECTIVES
from deltadistill.pipeline.params.faults import fault
from deltadistill.pipeline.params.named import named_in
from deltadistill.pipeline.params.section import Name, Positive, Section, Share
from deltadistill.pipeline.params.training import AugmentParams, Decay, Precision, Schedule


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
    """Which students replace which blocks.

    options: the settings of a design of your own, whose kind is package.module:name.
    """

    kind: named_in(DESIGNS)
    gamma: Positive
    stride: Positive
    rank: Literal["out", "min"]
    multiple: Positive
    initialisation: Literal["svd", "random", "data"]
    initialisation_clips: Annotated[int, Field(ge=2)]
    where: named_in(SELECTORS)
    options: dict[str, Any] = Field(default_factory=dict)

    @property
    def design(self) -> dict[str, Any]:
        """The kind and the settings that it has, as blocks.designs.student_design takes them."""
        names = _DESIGN_SETTINGS.get(self.kind, ())
        return {"kind": self.kind, **{name: getattr(self, name) for name in names}, **self.options}

    @model_validator(mode="after")
    def _options_are_of_an_own_design(self) -> "Students":
        if self.options and self.kind in _DESIGN_SETTINGS:
            raise ValueError(
                f"options go with a design of your own (package.module:name); the settings of kind "
                f"{self.kind} are {', '.join(_DESIGN_SETTINGS[self.kind])}, beside it"
            )
        if "kind" in self.options:
            raise ValueError("options cannot hold kind; it stands beside them")
        return self


class AmortisedTarget(Section):
    """A cost per frame that the search is to reach."""

    cost: Annotated[float, Field(gt=0, le=1)]
    length: Annotated[int, Field(ge=2)]

    @model_validator(mode="after")
    def _lies_above_the_key_frames_share(self) -> "AmortisedTarget":
        amortised_target.AmortisedTarget(self.cost, self.length)  # says what is wrong with it
        return self


class Search(Section):
    """The learned choice between the candidates (section 3.2).

    cost: what of candidates counts: macs; milliseconds, measured at the start of the training; or a function
    of your own (distillation/search_macs.py has its form). cost_options: what it takes beside, such as
    {engine: onnxruntime, threads: 1} of milliseconds.
    chosen_by: gates, which learn; or output_errors: before the training, by what each block alone does to the
        output (distillation/one_shot.py), so that the students learn undisturbed from the first step; or
        ranks: every block gets a rank of its own (distillation/rank_choice.py), and all are compressed.
    memory_mib: the peak of a stream, weights apart: layers whose maps do not fit are not converted
        (distillation/memory_choice.py); None: no bound.
    """

    initial_logit: float
    temperature: Annotated[float, Field(gt=0)]
    warmup: Share
    freeze: Share
    delta_budget: Annotated[float, Field(gt=0, le=1)] | None
    target: AmortisedTarget | None
    cost: named_in(COSTS) = "macs"
    cost_options: dict[str, Any] = Field(default_factory=dict)
    chosen_by: Annotated[
        Literal["gates", "output_errors", "ranks"], Field(exclude_if=lambda value: value == "gates")
    ] = "gates"
    memory_mib: Annotated[float, Field(gt=0)] | None = Field(
        default=None, exclude_if=lambda value: value is None
    )

    @model_validator(mode="after")
    def _a_choice_beforehand_has_a_target(self) -> "Search":
        if self.chosen_by != "gates" and self.target is None:
            raise ValueError(
                f"chosen_by {self.chosen_by} needs a target that the cost of a frame is to reach"
            )
        if self.chosen_by == "ranks" and self.cost != "macs":
            raise ValueError(f"chosen_by ranks counts macs; got cost {self.cost}")
        return self

    @model_validator(mode="after")
    def _options_are_those_of_the_cost(self) -> "Search":
        if self.cost == "macs" and self.cost_options:
            raise ValueError("cost_options go with another cost than macs, which has none")
        return self

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


class Fgfi(Section):
    """What method fgfi imitates, in the place of every block's output: features near objects."""

    weight: Annotated[float, Field(ge=0)]
    threshold: Annotated[float, Field(ge=0, lt=1)]


class FurtherObjective(Section):
    """An objective beside those of Eq. 5: its weight, the options that it takes, and its schedule.

    It counts from the share `starts` of the steps up to the share `until`. last: what its weight has become
    by then, evenly; None: it stays.
    """

    weight: Annotated[float, Field(ge=0)]
    options: dict[str, Any] = Field(default_factory=dict)
    starts: Annotated[float, Field(ge=0, lt=1)] = 0.0
    until: Annotated[float, Field(gt=0, le=1)] = 1.0
    last: Annotated[float, Field(ge=0)] | None = None

    @property
    def throughout(self) -> bool:
        """Whether every step learns from it."""
        return self.weight > 0 and self.starts == 0 and self.until == 1 and self.last != 0

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> "FurtherObjective":
        if self.until <= self.starts:
            raise ValueError(f"until {self.until} is not after starts {self.starts}; no step would count")
        return self


class DistillLoss(Section):
    """Weights of Eq. 5, and objectives beside it."""

    alpha: Annotated[float, Field(ge=0)]
    alpha_until: Annotated[float, Field(gt=0, le=1)]
    beta: Annotated[float, Field(ge=0)]
    task: Literal["labels", "teacher", "none"]
    fgfi: Fgfi
    objectives: dict[named_in(OBJECTIVES), FurtherObjective]

    @property
    def further(self) -> dict[str, dict[str, Any]]:
        """The objectives beside those of Eq. 5, as distillation.weighted.further_terms takes them."""
        return {name: objective.model_dump() for name, objective in self.objectives.items()}

    @model_validator(mode="after")
    def _something_is_learnt_to_the_end(self) -> "DistillLoss":
        further = any(objective.throughout for objective in self.objectives.values())
        if self.task == "none" and not further and (self.alpha == 0 or self.alpha_until < 1):
            raise ValueError(
                f"without a task loss the distillation loss is all there is; alpha {self.alpha} and "
                f"alpha_until {self.alpha_until} leave steps without any; set alpha above 0 and alpha_until "
                "to 1"
            )
        return self


class RedAttachment(Section):
    """A RED block behind a module of the student, and the module of the teacher whose map it learns."""

    module: str
    taught_by: str


class EarlyStudent(Section):
    """The student of method pooled: the teacher's network, whose maps become small earlier (ReDistill).

    factor: how much further its first convolution strides; schedule: in its stead the stride of each place
    that samples down, or the name of a published schedule. red_blocks: auto: where maps have a size of the
    teacher's; none; or places by name. start: the weights it begins with.
    """

    factor: Annotated[int, Field(ge=2)] | None = None
    schedule: Annotated[list[Positive], Field(min_length=1)] | str | None = None
    red_blocks: Literal["auto", "none"] | list[RedAttachment] = "auto"
    start: Literal["teacher", "random"] = "teacher"

    @model_validator(mode="after")
    def _one_of_both(self) -> "EarlyStudent":
        if (self.factor is None) == (self.schedule is None):
            raise ValueError(f"give a factor or a schedule, got {self.factor} and {self.schedule}")
        return self


class Specialise(Section):
    """Further steps on the first frames of every test video, taught by the teacher's output there alone."""

    frames: Positive
    steps: Positive


class TrainingMotion(Section):
    """Training under motion: what the key frame left is moved along it (blocks/moved_rule.py).

    preset: of the DIS flow between a clip's pictures. coarsest: maps of a lower resolution than the picture's
    over this stay; null: all move.
    """

    preset: Literal["ultrafast", "fast", "medium"]
    coarsest: Annotated[float, Field(gt=0)] | None


class NetworkTraining(Section):
    """One way to spend the training budget.

    changes: values of the distill section that this training has its own, such as
        {students: {kind: channel}}. options: of the model, for method small; of the scale map, for method
        flow_scale. model: of another network than the teacher's, by name, for method small; options are all
        its own then. student: of method pooled. specialise: of method small, further steps on the very
        videos that are tested.
    """

    method: Literal["per_frame", "delta", "feature", "fgfi", "small", "flow_scale", "pooled"]
    changes: dict[str, Any] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict)
    model: str | None = Field(default=None, exclude_if=lambda value: value is None)
    specialise: Specialise | None = Field(default=None, exclude_if=lambda value: value is None)
    student: EarlyStudent | None = Field(default=None, exclude_if=lambda value: value is None)

    @property
    def predicts(self) -> Literal["delta", "feature"] | None:
        """What the students of this training predict; None where there are none."""
        return {"delta": "delta", "feature": "feature", "fgfi": "feature"}.get(self.method)

    def network(self, name: str, options: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Name and options of the network that method small trains, where the teacher's are these."""
        return (name, {**options, **self.options}) if self.model is None else (self.model, dict(self.options))

    @model_validator(mode="after")
    def _options_have_a_use(self) -> "NetworkTraining":
        if self.specialise and self.method != "small":
            raise ValueError(f"specialise goes with method small, not with {self.method}")
        if self.method == "flow_scale":
            self._require_scale_options()
        elif bool(self.options or self.model) != (self.method == "small"):
            raise ValueError(
                "options (a cheaper model's) and model go with method small, and that with either of them"
            )
        if bool(self.student) != (self.method == "pooled"):
            raise ValueError("student goes with method pooled, and that with it: student: {factor: 4}")
        return self

    def _require_scale_options(self) -> None:
        known = {"split", "motion", "preset", "longest", "hidden"}
        if self.model is not None or "split" not in self.options or set(self.options) - known:
            raise ValueError(
                f"method flow_scale has options {sorted(self.options)} and model {self.model}; expected "
                "split, and of motion, preset, longest and hidden what is not the default; no model"
            )


class Distill(Section):
    """Stage distill."""

    steps: Positive
    batch: Positive
    clip_length: Annotated[int, Field(ge=2)]
    max_distance: Positive
    directions: Literal["forward", "both"]
    augment: AugmentParams
    optimiser: DistillOptimiser
    schedule: Schedule
    ema_decay: Decay | None
    precision: Precision
    students: Students
    search: Search
    loss: DistillLoss
    motion: TrainingMotion | None = None
    trainings: dict[Name, NetworkTraining]
    evaluate_every: Positive

    def of_training(self, name: str) -> "Distill":
        """The section as the training `name` has it."""
        training = self.trainings[name]
        if "trainings" in training.changes:
            raise ValueError(f"trainings.{name}.changes cannot hold trainings")
        own = training.model_copy(update={"changes": {}})
        return Distill.model_validate(
            _merged(self.model_dump(exclude={"trainings"}), training.changes) | {"trainings": {name: own}}
        )

    @model_validator(mode="after")
    def _changes_are_possible(self) -> "Distill":
        for name, training in self.trainings.items():
            if training.changes:
                try:
                    self.of_training(name)
                except ValidationError as error:
                    faults = "; ".join(fault(details) for details in error.errors())
                    raise ValueError(f"trainings.{name}.changes: {faults}") from None
        return self

    @model_validator(mode="after")
    def _settings_fit_together(self) -> "Distill":
        if self.clip_length - 1 > self.max_distance:
            raise ValueError(
                f"clip_length {self.clip_length} needs max_distance of at least {self.clip_length - 1}, "
                f"got {self.max_distance}"
            )
        methods = {training.method for training in self.trainings.values()} if self.motion else set()
        if self.motion and (self.students.kind != "linear" or not methods <= {"delta"}):
            raise ValueError(
                "motion is for method delta with students of kind linear, whose maps can be moved; put it "
                "into the changes of such a training: {method: delta, changes: {motion: {…}}}"
            )
        linear = (self.students.kind, self.students.initialisation) == ("linear", "data")
        if self.search.chosen_by == "ranks" and not linear:
            raise ValueError(
                "chosen_by ranks is for students of kind linear that start from data; set students: "
                "{kind: linear, initialisation: data}"
            )
        if self.loss.task != "labels" and self.optimiser.learning_rate_teacher > 0:
            raise ValueError(
                "without labels nothing holds the teacher's features in place while they are made easy "
                f"to distill; set optimiser.learning_rate_teacher to 0 (got "
                f"{self.optimiser.learning_rate_teacher})"
            )
        return self


def _merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`values` with `changes` laid over them, mapping by mapping."""
    merged = dict(values)
    for key, change in changes.items():
        both = isinstance(change, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], change) if both else change
    return merged
