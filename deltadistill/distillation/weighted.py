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

_TASK_TERMS = {"labels": TaskLoss, "teacher": TeacherOutput}


@dataclass(frozen=True)
class Weighted:
    """An objective and its weight, which holds for so many steps and is 0 after them; None: to the end."""

    objective: Objective
    weight: float = 1.0
    steps: int | None = None

    def __post_init__(self):
        if not (isfinite(self.weight) and self.weight >= 0):
            raise ValueError(f"the weight of an objective is {self.weight}; expected a number from 0 on")

    def at(self, step: int) -> float:
        """The weight at a step."""
        return self.weight if self.steps is None or step < self.steps else 0.0


Terms = Mapping[str, Weighted]
"""Weighted objectives by the name of their term."""


def equation_5(
    setting: Setting,
    *,
    alpha: float,
    task: Literal["labels", "teacher", "none"] = "labels",
    alpha_steps: int | None = None,
    imitated: Objective | None = None,
) -> Terms:
    """The terms of Eq. 5: the task's, and α times the distillation's.

    task: what the task loss compares predictions with: "labels"; "teacher" for the teacher's own predictions
        on the later frames; "none" for no task loss. The last two are distillation without labels.
    alpha_steps: alpha holds for so many steps. imitated: in place of the errors of all blocks.
    """
    distillation = Weighted(imitated or BlockErrors(), alpha, alpha_steps)
    return {**task_terms(setting, task), DISTILLATION: distillation}


def task_terms(setting: Setting, task: Literal["labels", "teacher", "none"]) -> Terms:
    """The task's term alone, as of `equation_5`; empty without one."""
    return {} if task == "none" else {TASK: Weighted(_TASK_TERMS[task](setting))}


def further_terms(chosen: Mapping[str, Mapping[str, Any]], setting: Setting) -> Terms:
    """Terms beside those of Eq. 5, by their names in OBJECTIVES or their paths package.module:name.

    chosen: {"weight": …, "options": {…}} of each; both may be left out (1, none).
    """
    for name, how in chosen.items():
        if unknown := set(how) - {"weight", "options"}:
            raise ValueError(f"objective {name} has {sorted(unknown)}; allowed: weight, options")
    made = {name: make_objective(name, setting, how.get("options")) for name, how in chosen.items()}
    return {name: Weighted(objective, chosen[name].get("weight", 1.0)) for name, objective in made.items()}


def own_modules(terms: Terms) -> dict[str, nn.Module]:
    """The objectives that have weights or buffers of their own, by their terms' names."""
    return {name: term.objective for name, term in terms.items() if term.objective.state_dict()}
