"""OFA-KD: exits lead from inner maps to logits, where networks of any family compare.

"One-for-All: Bridge the Gap Between Heterogeneous Architectures in Knowledge Distillation" (Hao et al.,
2023). Its claim: features of a transformer and of a convolutional network differ too much to be aligned,
logits do not; with exits and a target that stresses the true class more the surer the teacher is of it,
students of another family gain up to 8 points on CIFAR-100 and 0.7 on ImageNet.

    L = −mean over places of Σ_c ((p_c + [c = y])^ε − [c = y]) · log q_c

p are the teacher's probabilities, q an exit's, y the true class; ε ≥ 1 (1: cross-entropy with the teacher's
output). This is the authors' code; their equation does not subtract [c = y].

Departures: an exit is a depthwise 3×3 and a 1×1 convolution at its map's size, one prediction per place,
where the authors' narrow a map to one vector per picture; the teacher's logits are resized to the map,
labels by the nearest place. The term on the output is not repeated here: labels and `teacher_output` are
terms of their own.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deltadistill.objectives.frame_classes import FrameClasses, Told
from deltadistill.objectives.named_pairs import Modules
from deltadistill.objectives.objective import Objective
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.own_maps import OwnMaps
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.taps import Taps
from deltadistill.tasks.segmentation import IGNORED


class Exits(Objective):
    """The loss of exits after named modules of the network that learns; the teacher's modules are not seen.

    modules: see OwnMaps. epsilon: at least 1. temperature: of both softmaxes. classes: see FrameClasses.
    """

    def __init__(
        self,
        setting: Setting,
        *,
        modules: Modules = None,
        epsilon: float = 1.5,
        temperature: float = 1.0,
        classes: Told | None = None,
    ):
        super().__init__()
        if epsilon < 1 or temperature <= 0:
            raise ValueError(
                f"objective exits: epsilon {epsilon} must be at least 1 and temperature {temperature} above 0"
            )
        self.epsilon, self.temperature = epsilon, temperature
        self.maps = OwnMaps(setting, modules, objective="exits")
        self.classes = FrameClasses(setting, classes, objective="exits")
        self.exits = nn.ModuleList(exit_layers(width, self.classes.count) for width in self.maps.channels)

    @property
    def taps(self) -> Taps:
        """The maps, and the teacher's output."""
        return Taps.of_all([self.maps.taps, Taps(teacher_output=True)])

    def extent(self, seen: Observation) -> Tensor:
        """The number of labelled places of each map."""
        sizes = [made.shape[-2:] for made in self.maps(seen)]
        return torch.stack([(self.classes.at(seen, size) != IGNORED).sum() for size in sizes]).double()

    def loss(self, seen: Observation, of: Any) -> Tensor:
        """The mean over exits."""
        losses = []
        for leave, made, places in zip(self.exits, self.maps(seen), of, strict=True):
            size = made.shape[-2:]
            taught = logits_of_size(seen.teacher_output, size)
            found = enhanced_losses(
                leave(made),
                taught,
                self.classes.at(seen, size),
                epsilon=self.epsilon,
                temperature=self.temperature,
            )
            losses.append(found.sum() / places.clamp(min=1).to(found))
        return torch.stack(losses).mean()


def exit_layers(channels: int, classes: int) -> nn.Sequential:
    """From a map (N, channels, H, W) to logits (N, classes, H, W)."""
    depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
    return nn.Sequential(depthwise, nn.ReLU(), nn.Conv2d(channels, classes, 1))


def logits_of_size(logits: Tensor, size: tuple[int, ...]) -> Tensor:
    """Logits (N, classes, h, w) of logits (N, classes, H, W), or of one vector per frame (N, classes)."""
    if logits.dim() == 2:
        return logits[..., None, None].expand(-1, -1, *size)
    if logits.shape[-2:] == tuple(size):
        return logits
    return F.interpolate(logits, size, mode="bilinear", align_corners=False)


def enhanced_losses(
    logits: Tensor, taught: Tensor, classes: Tensor, *, epsilon: float, temperature: float = 1.0
) -> Tensor:
    """The loss at every place of logits (N, K, H, W) that has a class; (places,). classes: (N, H, W)."""
    labelled = classes != IGNORED
    own = (logits / temperature).log_softmax(1).movedim(1, -1)[labelled]
    theirs = (taught / temperature).softmax(1).movedim(1, -1)[labelled]
    true = F.one_hot(classes[labelled], own.shape[1]).to(own)
    return -(((theirs + true) ** epsilon - true) * own).sum(1)
