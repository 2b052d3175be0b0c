"""MEAL V2: a discriminator tells student's outputs from teacher's, and the student learns to pass.

"MEAL V2: Boosting Vanilla ResNet-50 to 80%+ Top-1 Accuracy on ImageNet without Tricks" (Shen, Savvides,
2020). Its claim: the averaged softmax of several teachers and a discriminator on final outputs alone,
without labels, take a plain ResNet-50 to 80.67 % and a ResNet-18 from 69.76 to 73.19 %.

    L = mean over places of  BCE(D(q), [1, 0]) + BCE(D(p), [0, 1]), halved
    D learns to lower it, the student to raise it

q and p are the student's and the teacher's probabilities of classes, D three 1×1 convolutions, as theirs.

Departures: D sees places, where a picture has one output; probabilities, so that their scale does not give
networks away; leaky activations, since so few channels die of the plain ones; and the student's gradient is
reversed, so that one optimiser does both. The averaged softmax is `teacher_average`, which is the other
half of their loss: weigh both.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deltadistill.objectives.objective import Objective
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.taps import Taps


class Discriminator(Objective):
    """The discriminator's loss on logits (N, classes) or (N, classes, H, W); a mean over frames."""

    def __init__(self, setting: Setting):
        super().__init__()
        classes = setting.classes("discriminator")
        half, quarter = max(classes // 2, 2), max(classes // 4, 2)
        layers = [nn.Conv2d(classes, half, 1), nn.LeakyReLU(), nn.Conv2d(half, quarter, 1), nn.LeakyReLU()]
        self.tells = nn.Sequential(*layers, nn.Conv2d(quarter, 2, 1))

    @property
    def taps(self) -> Taps:
        """Both outputs."""
        return Taps(output=True, teacher_output=True)

    def loss(self, seen: Observation, of: Tensor) -> Tensor:
        """The mean over frames, by the part's share of the clips."""
        own, taught = _places(seen.taught_frames(seen.output)), _places(seen.teacher_output)
        student = self.tells(reversed_gradient(own.softmax(1)))
        return told_apart(student, self.tells(taught.softmax(1))) * (seen.clips / float(of))


def told_apart(student: Tensor, teacher: Tensor) -> Tensor:
    """Binary cross-entropy of answers (N, 2, H, W): [1, 0] is right for a student's, [0, 1] else."""
    of_student = _answered(student, 0)
    of_teacher = _answered(teacher, 1)
    return (of_student + of_teacher) / 2


def reversed_gradient(values: Tensor) -> Tensor:
    """The same values; what flows back is negated."""
    return _Reversed.apply(values)


class _Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return -gradient


def _answered(answers: Tensor, right: int) -> Tensor:
    wanted = torch.zeros_like(answers)
    wanted[:, right] = 1
    return F.binary_cross_entropy_with_logits(answers, wanted)


def _places(logits: Tensor) -> Tensor:
    return logits[..., None, None] if logits.dim() == 2 else logits
