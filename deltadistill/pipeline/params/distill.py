"""The section of the stage distill."""

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from deltadistill.pipeline.params.faults import fault
from deltadistill.pipeline.params.losses import DistillLoss
from deltadistill.pipeline.params.section import Name, Positive, Section
from deltadistill.pipeline.params.students import Search, Students
from deltadistill.pipeline.params.training import AugmentParams, Decay, OnlyLearn, Precision, Schedule
from deltadistill.pipeline.params.trainings import NetworkTraining


class DistillOptimiser(Section):
    """Optimiser of delta distillation: three learning rates."""

    name: Literal["adamw", "sgd"]
    weight_decay: Annotated[float, Field(ge=0)]
    momentum: Annotated[float, Field(ge=0, lt=1)]
    learning_rate_teacher: Annotated[float, Field(ge=0)]
    learning_rate_student: Annotated[float, Field(ge=0)]
    learning_rate_gate: Annotated[float, Field(ge=0)]
    clip_norm: Annotated[float, Field(gt=0)] | None
    only_learn: list[OnlyLearn] = Field(default_factory=list)


class TrainingMotion(Section):
    """Training under motion: what the key frame left is moved along it (blocks/moved_rule.py).

    preset: of the DIS flow between a clip's pictures. coarsest: maps of a lower resolution than the picture's
    over this stay; null: all move.
    """

    preset: Literal["ultrafast", "fast", "medium"]
    coarsest: Annotated[float, Field(gt=0)] | None


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
    def _something_is_learnt_before_the_task(self) -> "Distill":
        for name, training in self.trainings.items():
            if training.learns_by_terms and not training.changes:
                self.loss.require_something_before_the_task(name, training.method)
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
        students = any(each.predicts and not each.changes for each in self.trainings.values())
        early = students and self.loss.task_from > 0
        if (early or self.loss.task != "labels") and self.optimiser.learning_rate_teacher > 0:
            raise ValueError(
                f"without labels{', before task_from,' if early else ''} nothing holds the teacher's "
                "features in place while they are made easy to distill; set "
                f"optimiser.learning_rate_teacher to 0 (got {self.optimiser.learning_rate_teacher})"
            )
        return self


def _merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`values` with `changes` laid over them, mapping by mapping."""
    merged = dict(values)
    for key, change in changes.items():
        both = isinstance(change, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], change) if both else change
    return merged
