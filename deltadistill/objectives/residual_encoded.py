"""Residual encoded distillation (ReDistill, Chen et al., TMLR 2025): maps that look alike, channels averaged.

α (1 − cos) between the channel means of a map and of the teacher's, each flattened over places; a mean over
frames and over attachments. As an objective it compares named modules of a delta network with the teacher's
own, or those of a per-frame student with RED blocks (`conversion.red_blocks`) with its teacher's;
`red_distillation` runs both networks for a loop of one's own.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deltadistill.conversion.red_blocks import Attachment, red_place, watched_places
from deltadistill.objectives.compared_maps import ComparedMaps
from deltadistill.objectives.named_pairs import Modules
from deltadistill.objectives.objective import Objective
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.taps import Taps

ALPHA = 50.0  # on STL-10; 1 on ImageNet


def unlikeness(maps: Tensor, taught: Tensor) -> Tensor:
    """1 − cos of the channel means of maps (N, C, H, W) and (N, C′, H, W), mean over frames; a scalar.

    Raises ValueError for maps of other rows and columns.
    """
    if maps.shape[-2:] != taught.shape[-2:]:
        raise ValueError(
            f"maps of {tuple(maps.shape[-2:])} and {tuple(taught.shape[-2:])} cannot be compared by place; "
            "attach where student and teacher have equal rows and columns"
        )
    cosine = F.cosine_similarity(maps.mean(1).flatten(1), taught.mean(1).flatten(1), dim=1)
    return (1 - cosine).mean()


def red_distillation(
    student: nn.Module, teacher: nn.Module, frames: Tensor, attachments: Sequence[Attachment]
) -> tuple[Any, Any, Tensor]:
    """What a student with RED blocks and its teacher return for frames (N, C, H, W), and the loss without α.

    The teacher runs without gradient, in its present mode; it should be in evaluation mode.
    """
    own = [red_place(each) for each in attachments]
    theirs = [(each.taught_by, each.side) for each in attachments]
    with torch.no_grad(), watched_places(teacher, theirs) as taught:
        expected = teacher(frames)
    with watched_places(student, own) as made:
        output = student(frames)
    pairs = zip(own, theirs, strict=True)
    losses = [unlikeness(made[place], taught[where]) for place, where in pairs]
    return output, expected, torch.stack(losses).mean()


class ResidualEncoded(Objective):
    """α times the unlikeness of maps and the teacher's: of a delta network on its later frames.

    modules: where; None: of a per-frame student behind its
    RED blocks (its setting's pairs), of a delta network the last converted block at each size of maps.
    Raises ValueError for a module that the network does not have or that makes no map (N, C, H, W).
    """

    def __init__(self, setting: Setting, *, modules: Modules = None, alpha: float = ALPHA):
        super().__init__()
        self.alpha = alpha
        if modules is None and setting.pairs:
            modules = dict(setting.pairs)
        self.compared = ComparedMaps.named(setting, modules, "residual_encoded")

    @property
    def taps(self) -> Taps:
        """The modules."""
        return self.compared.taps

    def loss(self, seen: Observation, of: Tensor) -> Tensor:
        """The mean over modules, by the part's share of the clips."""
        losses = [unlikeness(own, taught) for own, taught in self.compared.of(seen)]
        return self.alpha * torch.stack(losses).mean() * (seen.clips / float(of))
