"""The loss of a distillation: Eq. 5, FGFI's, and further objectives."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from deltadistill.objectives.registry import OBJECTIVES
from deltadistill.pipeline.params.named import named_in
from deltadistill.pipeline.params.section import Section


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

    def covers_start(self, until: float) -> bool:
        """Whether every step before a share of the steps learns from it."""
        return self.weight > 0 and self.starts == 0 and self.until >= until

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
    """Weights of Eq. 5, and objectives beside it.

    task_from: the share of the steps before which the task's term does not count; of method small neither
    labels nor the teacher's output.
    """

    alpha: Annotated[float, Field(ge=0)]
    alpha_until: Annotated[float, Field(gt=0, le=1)]
    beta: Annotated[float, Field(ge=0)]
    task: Literal["labels", "teacher", "none"]
    task_from: Annotated[float, Field(ge=0, lt=1)] = 0.0
    fgfi: Fgfi
    objectives: dict[named_in(OBJECTIVES), FurtherObjective]

    @property
    def further(self) -> dict[str, dict[str, Any]]:
        """The objectives beside those of Eq. 5, as distillation.weighted.further_terms takes them."""
        return {name: objective.model_dump() for name, objective in self.objectives.items()}

    def require_something_before_the_task(self, training: str, method: str) -> None:
        """ValueError where a training has steps before `task_from` without anything to learn from."""
        weight = {"delta": self.alpha, "feature": self.alpha, "fgfi": self.fgfi.weight}.get(method, 0)
        by_blocks = weight > 0 and self.alpha_until >= self.task_from
        further = any(each.covers_start(self.task_from) for each in self.objectives.values())
        if self.task_from > 0 and not by_blocks and not further:
            raise ValueError(
                f"before task_from {self.task_from} of the steps, training {training} of method {method} has "
                "steps with nothing to learn from; give it an objective that counts from the start until "
                "then, such as objectives: {query_retrieval: {weight: 1.0}}"
            )

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
