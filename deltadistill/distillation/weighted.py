"""Objectives with their weights: the terms of a distillation's loss."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

from torch import nn

from deltadistill.objectives.block_errors import BlockErrors
from deltadistill.objectives.objective import Objective
from deltadistill.objectives.setting import Setting, make_objective
from deltadistill.objectives.task_loss import TaskLoss
from deltadistill.objectives.teacher_output import TeacherOutput

TASK, DISTILLATION = "task", "distillation"  # the terms of Eq. 5, and columns of every training's curve

_SCHEDULE = ("starts", "until", "last")
_TASK_TERMS = {"labels": TaskLoss, "teacher": TeacherOutput}


@dataclass(frozen=True)
class Weighted:
    """An objective and its weight, which is 0 outside its steps.

    steps: it holds up to this step; None: to the end. begin: from this step on. last: at its last step the
    weight is this, and changes evenly on the way there; None: it stays. That needs `steps`.
    """

    objective: Objective
    weight: float = 1.0
    steps: int | None = None
    begin: int = 0
    last: float | None = None

    def __post_init__(self):
        for weight in (self.weight, self.last or 0.0):
            if not (isfinite(weight) and weight >= 0):
                raise ValueError(f"the weight of an objective is {weight}; expected a number from 0 on")
        if self.last is not None and self.steps is None:
            raise ValueError("a weight that changes up to its last step needs to know which that is")

    def at(self, step: int) -> float:
        """The weight at a step."""
        if step < self.begin or (self.steps is not None and step >= self.steps):
            return 0.0
        if self.last is None or self.steps is None:
            return self.weight
        way = (step - self.begin) / max(self.steps - 1 - self.begin, 1)
        return self.weight + way * (self.last - self.weight)


Terms = Mapping[str, Weighted]
"""Weighted objectives by the name of their term."""


def equation_5(
    setting: Setting,
    *,
    alpha: float,
    task: Literal["labels", "teacher", "none"] = "labels",
    alpha_steps: int | None = None,
    imitated: Objective | None = None,
    task_begin: int = 0,
    alpha_begin: int = 0,
) -> Terms:
    """The terms of Eq. 5: the task's, and α times the distillation's.

    task: what the task loss compares predictions with: "labels"; "teacher" for the teacher's own predictions
        on the later frames; "none" for no task loss. The last two are distillation without labels.
    alpha_steps: alpha holds for so many steps. imitated: in place of the errors of all blocks.
    task_begin, alpha_begin: the steps from which on the two terms count.
    """
    distillation = Weighted(imitated or BlockErrors(), alpha, alpha_steps, alpha_begin)
    return {**task_terms(setting, task, begin=task_begin), DISTILLATION: distillation}


def task_terms(setting: Setting, task: Literal["labels", "teacher", "none"], *, begin: int = 0) -> Terms:
    """The task's term alone, as of `equation_5`, from step `begin` on; empty without one."""
    return {} if task == "none" else {TASK: Weighted(_TASK_TERMS[task](setting), begin=begin)}


def further_terms(
    chosen: Mapping[str, Mapping[str, Any]], setting: Setting, *, steps: int | None = None
) -> Terms:
    """Terms beside those of Eq. 5, by their names in OBJECTIVES or their paths package.module:name.

    chosen: {"weight": …, "options": {…}, "starts": …, "until": …, "last": …} of each; all may be left out (1,
        none, 0, 1, none). It counts from the share `starts` of the steps to the share `until`, with a weight
        that changes evenly to `last`.
    steps: of the training, which shares are of.
    """
    for name, how in chosen.items():
        if unknown := set(how) - {"weight", "options", *_SCHEDULE}:
            raise ValueError(
                f"objective {name} has {sorted(unknown)}; allowed: weight, options, starts, until, last"
            )
    made = {name: make_objective(name, setting, how.get("options")) for name, how in chosen.items()}
    return {name: _scheduled(name, objective, chosen[name], steps) for name, objective in made.items()}


def _scheduled(name: str, objective: Objective, how: Mapping[str, Any], steps: int | None) -> Weighted:
    weight, starts, until = how.get("weight", 1.0), how.get("starts", 0.0), how.get("until", 1.0)
    last = how.get("last")
    if not 0 <= starts < until <= 1:
        raise ValueError(
            f"objective {name} counts from {starts} to {until} of the steps; expected 0 ≤ … < … ≤ 1"
        )
    if starts == 0 and until == 1 and last is None:
        return Weighted(objective, weight)
    if steps is None:
        raise ValueError(
            f"objective {name} has a schedule in shares of the steps, and their number is not known"
        )
    return Weighted(objective, weight, round(until * steps), round(starts * steps), last)


def own_modules(terms: Terms) -> dict[str, nn.Module]:
    """The objectives that have weights or buffers of their own, by their terms' names."""
    return {name: term.objective for name, term in terms.items() if term.objective.state_dict()}
