"""MEAL V2 and SSLD: the teacher's output, or the average of several, is all there is to learn.

"MEAL V2: Boosting Vanilla ResNet-50 to 80%+ Top-1 Accuracy on ImageNet without Tricks" (Shen, Savvides,
2020) averages the softmax of an ensemble. "Beyond Self-Supervision: A Simple Yet Effective Network
Distillation Alternative to Improve Backbones" (Cui et al., 2021) imitates one large teacher without labels
and with more unlabelled pictures. Its claim: MobileNetV3-large goes from 75.2 to 79 %, ResNet50-D from 79.1
to 83 %.

    kl  mean over places of Σ p log(p / q),   p the mean of the teachers' probabilities
    js  mean over places of (Σ p log(p / m) + Σ q log(q / m)) / 2,   m = (p + q) / 2

Departures: none in the loss. Students start from the teacher, as both recommend a good start. Without
labels is `distill.loss.task: none`; with js and no other teacher it is SSLD's loss.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from deltadistill.forward.outputs import frame_outputs
from deltadistill.objectives.objective import Objective
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.taps import Taps
from deltadistill.stored.architecture import load_network

DIVERGENCES = ("kl", "js")


class TeacherAverage(Objective):
    """Divergence of logits (N, classes, …) from the teachers' average; a mean over frames.

    others: files of networks of this project that are averaged with the teacher, and are only looked at.
    Raises ValueError for a file that holds none, and for networks of other classes.
    """

    def __init__(self, setting: Setting, *, others: Sequence[str] = (), divergence: str = "kl"):
        super().__init__()
        if divergence not in DIVERGENCES:
            raise ValueError(
                f"objective teacher_average: divergence {divergence!r} is unknown; allowed: "
                f"{', '.join(DIVERGENCES)}"
            )
        self.divergence, classes = divergence, setting.classes("teacher_average")
        self._others = tuple(
            _opened(path, setting.frames, classes) for path in others
        )  # no part of the module

    @property
    def taps(self) -> Taps:
        """Both outputs."""
        return Taps(output=True, teacher_output=True)

    def loss(self, seen: Observation, of: Tensor) -> Tensor:
        """The mean over frames, by the part's share of the clips."""
        logits = seen.taught_frames(seen.output)
        with torch.no_grad():
            told = [seen.teacher_output, *self._answers(seen)]
            average = torch.stack([each.softmax(1) for each in told]).mean(0)
        return divergence_of(logits, average, self.divergence) * (seen.clips / float(of))

    def _answers(self, seen: Observation) -> list[Tensor]:
        frames = seen.taught_frames(seen.clip)
        return [frame_outputs(network, frames) for network in self._others]


def divergence_of(logits: Tensor, average: Tensor, kind: str) -> Tensor:
    """Mean divergence of softmax(logits) from probabilities `average`, both (N, K, …); a scalar."""
    own = logits.softmax(1)
    if kind == "kl":
        return _kl(average, own)
    middle = (own + average) / 2
    return (_kl(average, middle) + _kl(own, middle)) / 2


def _kl(wanted: Tensor, given: Tensor) -> Tensor:
    return (torch.special.xlogy(wanted, wanted) - wanted * given.clamp(min=1e-12).log()).sum(1).mean()


def _opened(path: str, frames: Tensor, classes: int) -> nn.Module:
    network = load_network(Path(path)).to(frames).eval()
    with torch.no_grad():
        output = frame_outputs(network, frames)
    if not isinstance(output, Tensor) or output.shape[1] != classes:
        raise ValueError(
            f"objective teacher_average: {path} does not return logits of {classes} classes, as the teacher "
            "does; average networks of the same classes"
        )
    return network.requires_grad_(False)
