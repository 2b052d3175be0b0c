"""The updates on a frame that the teacher labelled: steps until the student agrees, within a bound."""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only


class Goal(Protocol):
    """What the teacher says of a frame, for a student to agree with."""

    def score(self, output: Any) -> float:
        """How far an output agrees, from 0 to 1."""

    def loss(self, output: Any) -> Tensor:
        """What a step makes smaller, a scalar."""


class Student(Protocol):
    """A network that learns, as the updates see it; see students.py.

    learns_as_it_answers: whether it computes the same when it learns and when it answers, so that one forward
        pass serves both.
    """

    learns_as_it_answers: bool

    def answer(self, frame: Tensor) -> Any:
        """The output for a frame, without gradient."""

    def learning_answer(self, frame: Tensor) -> Any:
        """The output for a frame, with gradient."""

    def begin_frame(self) -> None:
        """Updates on another frame begin."""

    def step(self, loss: Tensor) -> None:
        """Do one step of the optimiser."""

    def is_finite(self) -> bool:
        """Whether all that a step changes is finite."""

    def snapshot(self) -> Any:
        """All that steps change, as it is now."""

    def restore(self, snapshot: Any) -> None:
        """Go back to what `snapshot` returned."""


@dataclass(frozen=True)
class Updated:
    """What the updates on a frame came to.

    before, after: the score on this frame. steps: of the optimiser, also where they were undone. output: for
    this frame, as the student is now. undone: why the weights are those of before; None: they are not.
    """

    before: float
    after: float
    steps: int
    output: Any
    undone: str | None = None


Rehearse = Callable[[int], tuple[Tensor, Goal] | None]
"""Maps the number of a step to another frame, with its goal, to be learned from after it; None: to none."""


def update(
    student: Student,
    goal: Goal,
    frame: Tensor,
    *,
    threshold: float,
    at_most: int,
    rehearse: Rehearse = lambda step: None,
) -> Updated:
    """Take up to `at_most` steps on a frame (N, C, H, W), none once the score has reached the threshold.

    After each comes a step on what `rehearse` says, which counts as one too, beyond `at_most`. A loss, or
    weights after a step, that are not finite give back the weights and the optimiser of before the first.
    """
    before, kept, further = None, None, 0
    student.begin_frame()
    for steps in range(at_most + 1):
        output = student.learning_answer(frame) if student.learns_as_it_answers else student.answer(frame)
        score = goal.score(output)
        before = score if before is None else before
        if score >= threshold or steps == at_most:
            return Updated(before, score, steps + further, _without_gradient(output))
        kept = student.snapshot() if kept is None else kept
        with torch.enable_grad():  # whoever asks for an answer may have switched it off
            loss = goal.loss(output if student.learns_as_it_answers else student.learning_answer(frame))
        undone = _broken_step(student, loss)
        if not undone and (again := rehearse(steps)):
            further += 1
            with torch.enable_grad():
                loss = again[1].loss(student.learning_answer(again[0]))
            undone = _broken_step(student, loss)
        if undone:
            student.restore(kept)
            return Updated(before, before, steps + 1 + further, student.answer(frame), undone)
    raise AssertionError("the last round returns")


def _broken_step(student: Student, loss: Tensor) -> str | None:
    """Do a step; what is not finite about it, if anything is."""
    if not isfinite(value := float(loss.detach())):
        return f"the loss is {value}"
    student.step(loss)
    return None if student.is_finite() else "weights are not finite after a step"


def _without_gradient(output: Any) -> Any:
    return tree_map_only(Tensor, Tensor.detach, output)
