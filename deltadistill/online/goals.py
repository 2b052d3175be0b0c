"""What the student is to agree with: the teacher's labels, or its output as the task has it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deltadistill.data.manifest import Frame
from deltadistill.metrics.miou import ConfusionMatrix
from deltadistill.metrics.present_miou import present_miou
from deltadistill.online.updates import Goal
from deltadistill.tasks.task import Task

Loss = Literal["weighted", "unweighted", "imitation"]
"""What updates make smaller. "weighted", "unweighted": cross entropy with the teacher's labels, in which
pixels of the foreground weigh more, or as much; "imitation": the task's own distance from its output."""
MakeGoal = Callable[..., Goal]
"""Maps the teacher's output to the goal: (teacher_output, *, network, teacher)."""


@dataclass(frozen=True)
class Labels:
    """The teacher's labels (N, H, W) of `classes` classes, of which `background` may be one.

    foreground: how much a pixel of any other class weighs in the loss, where one of the background weighs 1.
    """

    labels: Tensor
    classes: int
    background: int | None = None
    foreground: float = 1.0

    def score(self, logits: Tensor) -> float:
        """Mean IoU over the classes that the labels have, the background left out (see present_miou)."""
        counted = ConfusionMatrix(self.classes)
        counted.update(logits.detach().max(1).indices.to(torch.uint8), self.labels)
        return present_miou(counted, background=self.background)

    def loss(self, logits: Tensor) -> Tensor:
        """Mean over pixels of the cross entropy, each pixel by its weight."""
        weights = logits.new_full((self.classes,), self.foreground)
        if self.background is not None:
            weights[self.background] = 1
        return F.cross_entropy(logits, self.labels.long().to(logits.device), weight=weights)


@dataclass(frozen=True)
class Imitated:
    """The teacher's output of a frame, in the terms of a task.

    network, teacher: whose outputs are compared.
    """

    task: Task
    teacher_output: Any
    network: nn.Module
    teacher: nn.Module

    def score(self, output: Any) -> float:
        """The task's own score against the teacher's predictions; 1 where there is nothing to compare."""
        metric = self.task.metric()
        taught = self.task.predict(self.teacher_output, network=self.teacher)
        said = self.task.predict(output, network=self.network)
        for number, (mine, wanted) in enumerate(zip(said, taught, strict=True)):
            frame = Frame("online", number, "online", Path(), None)
            metric.update(mine, self.task.as_reference(wanted, frame))
        score = self.task.score(metric)
        return 1.0 if score != score else score

    def loss(self, output: Any) -> Tensor:
        """The task's own imitation of a teacher's output."""
        found = self.task.imitation_loss(
            output, self.teacher_output, network=self.network, teacher=self.teacher
        )
        return found


def goals_of(
    task: Task, *, loss: Loss | None = None, background: int | None = None, foreground: float = 5.0
) -> MakeGoal:
    """What makes goals of a teacher's outputs.

    loss: None: "weighted" where a background is named, else "unweighted"; "imitation" for a task whose
        predictions are no label maps, which takes no other.
    background, foreground: see `Labels`; the score leaves the background out whatever the loss is.
    Raises ValueError for what does not go together.
    """
    is_labels = task.form == "label_maps"
    chosen = loss or (("unweighted" if background is None else "weighted") if is_labels else "imitation")
    require_loss(chosen, background, foreground)
    if not is_labels:
        _require_label_maps(chosen, background)

    def labelled(teacher_output: Any, *, network: nn.Module, teacher: nn.Module) -> Goal:
        labels = cast(Tensor, task.predict(teacher_output, network=teacher))  # of label maps
        weight = foreground if chosen == "weighted" else 1.0
        return Labels(labels, teacher_output.shape[1], background, weight)

    def imitated(teacher_output: Any, *, network: nn.Module, teacher: nn.Module) -> Goal:
        goal = Imitated(task, teacher_output, network, teacher)
        return (
            goal if not is_labels else _Both(labelled(teacher_output, network=network, teacher=teacher), goal)
        )

    return imitated if chosen == "imitation" else labelled


@dataclass(frozen=True)
class _Both:
    """Scored as one goal, learned from as another."""

    scored: Goal
    learned: Goal

    def score(self, output: Any) -> float:
        return self.scored.score(output)

    def loss(self, output: Any) -> Tensor:
        return self.learned.loss(output)


def require_loss(loss: str | None, background: int | None, foreground: float) -> None:
    """Raise ValueError for a loss, background and weight that no task gives a meaning."""
    if loss not in (None, *get_args(Loss)):
        raise ValueError(f"loss {loss!r} is unknown; allowed: {', '.join(get_args(Loss))}")
    if loss == "weighted" and background is None:
        raise ValueError("loss 'weighted' weighs classes against a background; name its class, background: 0")
    if not foreground > 0:
        raise ValueError(
            f"foreground {foreground} must be above 0: what a pixel weighs against the background"
        )


def _require_label_maps(loss: str, background: int | None) -> None:
    if loss != "imitation" or background is not None:
        raise ValueError(
            f"loss {loss!r} and background {background} are of label maps; this task's predictions are none: "
            "take loss 'imitation' and no background"
        )
