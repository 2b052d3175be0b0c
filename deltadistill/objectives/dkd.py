"""Decoupled knowledge distillation (DKD, Zhao et al., CVPR 2022): the true class apart from all others."""

import torch
import torch.nn.functional as F
from torch import Tensor

from deltadistill.objectives.logits import require_logits
from deltadistill.objectives.objective import Objective
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.taps import Taps


def decoupled_divergence(
    logits: Tensor, taught: Tensor, classes: Tensor, *, alpha: float, beta: float, temperature: float
) -> Tensor:
    """T² (α TCKD + β NCKD) of logits (N, K) and true classes (N,), mean over frames (Eq. 7).

    TCKD is the divergence between (true, any other), NCKD the one among the others alone.
    """
    true = F.one_hot(classes, logits.shape[1]).bool()
    target = _divergence(*(_true_or_not(each / temperature, true) for each in (logits, taught)))
    others = _divergence(*(_others(each / temperature, true) for each in (logits, taught)))
    return temperature**2 * (alpha * target + beta * others)


def _true_or_not(logits: Tensor, true: Tensor) -> Tensor:
    """Log probabilities (N, 2) of the true class and of all others together."""
    own = logits[true]
    rest = logits.masked_fill(true, -torch.inf).logsumexp(1)
    return F.log_softmax(torch.stack([own, rest], 1), 1)


def _others(logits: Tensor, true: Tensor) -> Tensor:
    """Log probabilities (N, K − 1) of the others among themselves."""
    return F.log_softmax(logits[~true].view(len(logits), -1), 1)


def _divergence(own: Tensor, taught: Tensor) -> Tensor:
    return (taught.exp() * (taught - own)).sum(1).mean()


class DKD(Objective):
    """The two divergences, α 1, β 8 and T 4 as published for CIFAR-100; without its warm-up of the weight.

    Frames without a class count as nothing. Raises ValueError where the task has no one class per frame.
    """

    def __init__(self, setting: Setting, *, alpha: float = 1.0, beta: float = 8.0, temperature: float = 4.0):
        super().__init__()
        self.task = setting.require_task("dkd")
        if self.task.form != "rankings":
            raise ValueError("objective dkd needs the true class of every frame: task classification")
        self.alpha, self.beta, self.temperature = alpha, beta, temperature

    @property
    def taps(self) -> Taps:
        """Both outputs."""
        return Taps(output=True, teacher_output=True)

    def extent(self, seen: Observation) -> Tensor:
        """The frames that have a class."""
        return (self._classes(seen) >= 0).sum().double()

    def loss(self, seen: Observation, of: Tensor) -> Tensor:
        """The mean over frames that have a class."""
        classes = self._classes(seen)
        outputs = require_logits("dkd", seen.taught_frames(seen.output), seen.teacher_output)
        known = classes >= 0
        if not known.any():
            return outputs[0].sum() * 0
        own, taught = (each[known] for each in outputs)
        weights = {"alpha": self.alpha, "beta": self.beta, "temperature": self.temperature}
        return decoupled_divergence(own, taught, classes[known], **weights) * (known.sum() / float(of))

    def _classes(self, seen: Observation) -> Tensor:
        """The true classes of the frames that the teacher answers too, below 0 where there is none."""
        return self.task.targets(seen.taught_frames(seen.batch["label"]), network=seen.network)
