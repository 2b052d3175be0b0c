"""KD++: features that are long, and point where the teacher's features of their class do.

"Improving Knowledge Distillation via Regularizing Feature Norm and Direction" (Wang et al., 2023). Its
claim: one term that lengthens the student's embedding and turns it towards the mean of the teacher's
embeddings of the same class lifts students above plain alignment, on ImageNet, CIFAR-100 and COCO.

    L = mean over places of 1 − f·e / max(‖f‖, ‖t‖),   e = c / ‖c‖

f is a student's feature at a place, t the teacher's, c the mean of the teacher's features of the place's
class.

Departures: a feature is that of a place, not of a picture; means are running ones over the places seen so
far (the teacher may move a little, and the data set is not gone through beforehand), and start with the
first batch.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from deltadistill.objectives.frame_classes import FrameClasses, Told
from deltadistill.objectives.matched_maps import MatchedMaps
from deltadistill.objectives.named_pairs import Modules
from deltadistill.objectives.objective import Objective
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.taps import Taps
from deltadistill.processes.group import ALONE, Group
from deltadistill.tasks.segmentation import IGNORED


class FeatureNormDirection(Objective):
    """The loss over all labelled places of named maps, usually the one before the last layer.

    modules: see MatchedMaps. classes: "labels", "teacher", or None (see FrameClasses). decay: how much of a
    class's mean stays when a batch has seen the class again, 0 to 1.
    """

    def __init__(
        self, setting: Setting, *, modules: Modules, classes: Told | None = None, decay: float = 0.9
    ):
        super().__init__()
        if not 0 <= decay < 1:
            raise ValueError(
                f"objective feature_norm_direction: decay {decay} must be at least 0 and below 1"
            )
        self.decay = decay
        self.maps = MatchedMaps(setting, modules, objective="feature_norm_direction")
        self.classes = FrameClasses(setting, classes, objective="feature_norm_direction")
        for index, channels in enumerate(self.maps.channels):
            self.register_buffer(f"means_{index}", torch.zeros(self.classes.count, channels))

    @property
    def taps(self) -> Taps:
        """The maps, and the teacher's output where it tells the classes."""
        return Taps.of_all([self.maps.taps, self.classes.taps])

    def batch_extent(self, parts: Iterable[Observation], group: Group = ALONE) -> Any:
        """The number of labelled places of each map; the classes' means take the batch in."""
        per_part = [[self._sums(seen, taught) for taught in self.maps.taught(seen)] for seen in parts]
        totals = [group.total(torch.stack(sums).sum(0)) for sums in zip(*per_part, strict=True)]
        for index, total in enumerate(totals):
            means = self.get_buffer(f"means_{index}")
            means.copy_(running_means(means, total[:, :-1], total[:, -1], decay=self.decay))
        return [float(total[:, -1].sum()) for total in totals]

    def loss(self, seen: Observation, of: Any) -> Tensor:
        """The mean over maps of the mean over places."""
        losses = []
        for index, ((own, taught), places) in enumerate(zip(self.maps(seen), of, strict=True)):
            classes = self.classes.at(seen, own.shape[-2:])
            found = norm_direction_losses(own, taught, self.get_buffer(f"means_{index}"), classes)
            losses.append(found.sum() / max(places, 1))
        return torch.stack(losses).mean()

    def _sums(self, seen: Observation, taught: Tensor) -> Tensor:
        return class_sums(taught, self.classes.at(seen, taught.shape[-2:]), self.classes.count)


def class_sums(maps: Tensor, classes: Tensor, count: int) -> Tensor:
    """Sums of maps (N, C, H, W) over the places of each class (N, H, W), and their number; (count, C + 1)."""
    features = maps.movedim(1, -1)[classes != IGNORED].double()
    counted = torch.cat([features, torch.ones_like(features[:, :1])], 1)
    return counted.new_zeros(count, counted.shape[1]).index_add_(0, classes[classes != IGNORED], counted)


def running_means(means: Tensor, sums: Tensor, counts: Tensor, *, decay: float) -> Tensor:
    """Means (K, C) with a batch's in them; a class that is new takes the batch's, one not seen stays."""
    seen = counts > 0
    found = (sums / counts.clamp(min=1)[:, None]).to(means)
    known = means.abs().sum(1) > 0
    kept = torch.where(known, decay, 0.0)[:, None].to(means)
    return torch.where(seen[:, None], kept * means + (1 - kept) * found, means)


def norm_direction_losses(maps: Tensor, taught: Tensor, means: Tensor, classes: Tensor) -> Tensor:
    """1 − f·e / max(‖f‖, ‖t‖) at every place of maps (N, C, H, W) that has a class; (places,).

    means: of the teacher's features, (K, C). classes: (N, H, W).
    """
    labelled = classes != IGNORED
    own, theirs = maps.movedim(1, -1)[labelled], taught.movedim(1, -1)[labelled]
    directions = torch.nn.functional.normalize(means, dim=1).to(own)[classes[labelled]]
    longest = torch.maximum(own.norm(dim=1), theirs.norm(dim=1)).clamp(min=1e-6)
    return 1 - (own * directions).sum(1) / longest
