"""The trainings of a distillation: one way each to spend its budget."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from deltadistill.pipeline.params.section import Positive, Section

RowsAndColumns = Annotated[list[Positive], Field(min_length=2, max_length=2)]


class RedAttachment(Section):
    """A RED block behind a module of the student, and the module of the teacher whose map it learns."""

    module: str
    taught_by: str


class EarlyStudent(Section):
    """The student of method pooled: the teacher's network, whose maps become small earlier (ReDistill).

    factor: how much further its first convolution strides; schedule: in its stead the stride of each place
    that samples down (of a convolution also [rows, columns]), or the name of a published schedule.
    red_blocks: auto: where maps have a size of the teacher's; none; or places by name. start: the weights it
    begins with.
    """

    factor: Annotated[int, Field(ge=2)] | None = None
    schedule: Annotated[list[Positive | RowsAndColumns], Field(min_length=1)] | str | None = None
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


class NetworkTraining(Section):
    """One way to spend the training budget.

    changes: values of the distill section that this training has its own, such as
        {students: {kind: channel}}. options: of the model, for method small; of the scale map, for method
        flow_scale; of the gates, for skip_gates. model: of another network than the teacher's, by name, for
        method small; options are all its own then. student: of method pooled. specialise: of method small,
        further steps on the very videos that are tested.
    """

    method: Literal["per_frame", "delta", "feature", "fgfi", "small", "flow_scale", "skip_gates", "pooled"]
    changes: dict[str, Any] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict)
    model: str | None = Field(default=None, exclude_if=lambda value: value is None)
    specialise: Specialise | None = Field(default=None, exclude_if=lambda value: value is None)
    student: EarlyStudent | None = Field(default=None, exclude_if=lambda value: value is None)

    @property
    def predicts(self) -> Literal["delta", "feature"] | None:
        """What the students of this training predict; None where there are none."""
        return {"delta": "delta", "feature": "feature", "fgfi": "feature"}.get(self.method)

    @property
    def learns_by_terms(self) -> bool:
        """Whether its loss is made of the weighted terms of the distill section's loss."""
        return self.predicts is not None or self.method in ("small", "pooled")

    def network(self, name: str, options: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Name and options of the network that method small trains, where the teacher's are these."""
        return (name, {**options, **self.options}) if self.model is None else (self.model, dict(self.options))

    @model_validator(mode="after")
    def _options_have_a_use(self) -> "NetworkTraining":
        if self.specialise and self.method != "small":
            raise ValueError(f"specialise goes with method small, not with {self.method}")
        if self.method in _COMPANION_OPTIONS:
            self._require_companion_options(*_COMPANION_OPTIONS[self.method])
        elif bool(self.options or self.model) != (self.method == "small"):
            raise ValueError(
                "options (a cheaper model's) and model go with method small, and that with either of them"
            )
        if bool(self.student) != (self.method == "pooled"):
            raise ValueError("student goes with method pooled, and that with it: student: {factor: 4}")
        return self

    def _require_companion_options(self, needed: str, others: Sequence[str]) -> None:
        known = {needed, *others}
        if self.model is not None or needed not in self.options or set(self.options) - known:
            raise ValueError(
                f"method {self.method} has options {sorted(self.options)} and model {self.model}; expected "
                f"{needed}, and of {', '.join(others)} what is not the default; no model"
            )


# By method the option that it needs, and others.
_COMPANION_OPTIONS = {
    "flow_scale": ("split", ("motion", "preset", "longest", "hidden")),
    "skip_gates": ("beta", ("where", "threshold")),
}
