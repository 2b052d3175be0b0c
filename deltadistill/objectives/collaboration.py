"""Collaborative learning: two students of two families, and each teaches the other where it is right.

"A Good Student is Cooperative and Reliable: CNN-Transformer Collaborative Learning for Semantic
Segmentation" (Zhu et al., 2023). Its claim: a convolutional network and a transformer that learn at once,
and exchange by region and by pixel what whoever is right knows, beat other online distillation by a large
margin on three data sets.

    L = mean over labelled places of  c′ + λ₁ · (KL(p′ ‖ p) where c′ < c, KL(p ‖ p′) elsewhere)
        + λ₂ · mean over regions of  mean over regions s of (S_rs − S′_rs)²,  learnt by whoever has the
        larger mean c there

p are the probabilities of the network that is trained, c its cross-entropy with the label, S cosines of its
features of two regions, a prime is the partner's. Nothing flows back to whoever teaches.

Departures: one network comes of a training. The partner is a module of this objective: it learns by labels
and by the exchange, is kept in checkpoints, and is gone at the end; for it, make it the training's own and
the other the partner. The teacher that every training has here stays, as terms of its own. Features of
regions are compared by their likenesses, which need not have equal channels. Their first part, low
features of one family pushed through the other's layers, is not here.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deltadistill import models
from deltadistill.forward.half_precision import in_single_precision
from deltadistill.forward.modes import evaluation_mode
from deltadistill.objectives.compared_maps import require_map
from deltadistill.objectives.exits import logits_of_size
from deltadistill.objectives.frame_classes import FrameClasses, classes_of_size
from deltadistill.objectives.named_pairs import Modules, named_pairs
from deltadistill.objectives.objective import Objective
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.right_of_two import exchanged, exchanged_regions, label_losses, region_losses
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.taps import Maps, Taps, tapped
from deltadistill.tasks.segmentation import IGNORED


class Collaboration(Objective):
    """The partner's loss on labels, and the exchange; of frames that a teacher answers too.

    partner, partner_options: a network as `models.build` makes it, with random weights; its batch norm sees
    each part of a batch by itself. modules: whose maps are the features of regions, {own: the partner's} or
    names in both; without any, the logits. pixel, region: λ₁ and λ₂. grid: rows and columns of regions, at
    most those of the smallest map.
    Raises ValueError without label maps, and for a partner that does not return logits of as many classes.
    """

    def __init__(
        self,
        setting: Setting,
        *,
        partner: str,
        partner_options: Mapping[str, Any] | None = None,
        modules: Modules = None,
        pixel: float = 1.0,
        region: float = 1.0,
        grid: int = 8,
    ):
        super().__init__()
        if pixel < 0 or region < 0 or grid < 1:
            raise ValueError(
                f"objective collaboration: pixel {pixel} and region {region} must be at least 0, grid {grid} "
                "at least 1"
            )
        self.classes = FrameClasses(setting, "labels", objective="collaboration")
        made = models.build(partner, classes=self.classes.count, **(partner_options or {}))
        self.partner = made.to(setting.frames)
        self.pairs = [] if modules is None else named_pairs(setting, modules, "collaboration")
        smallest = _smallest_map(setting, self.partner, self.pairs, partner)
        self.pixel, self.region = pixel, region
        self.grid = min(grid, smallest[0]), min(grid, smallest[1])

    @property
    def taps(self) -> Taps:
        """The output, and maps of named modules."""
        return Taps(own_modules=tuple(own for own, _ in self.pairs), output=True)

    def extent(self, seen: Observation) -> Tensor:
        """The numbers of labelled places, and of regions with any; (2,)."""
        labels = self._labels(seen)
        _, counted = region_losses(torch.zeros(labels.shape, device=labels.device), labels, self.grid)
        return torch.stack([(labels != IGNORED).sum(), counted.sum()]).double()

    def loss(self, seen: Observation, of: Tensor) -> Tensor:
        """The partner's labels, and what each learns from the other; over the whole batch's places."""
        labels = self._labels(seen)
        answer, theirs = self._partners(seen)
        logits = logits_of_size(seen.taught_frames(seen.output), labels.shape[1:])
        others = logits_of_size(answer, labels.shape[1:])
        places, regions = of.clamp(min=1).to(logits)
        their_losses = label_losses(others, labels)
        loss = (their_losses.sum() + self.pixel * exchanged(logits, others, labels)) / places
        pairs = self._features(seen, theirs) or [(logits, others)]
        with torch.no_grad():
            own, counted = region_losses(label_losses(logits, labels), labels, self.grid)
            first_learns = region_losses(their_losses, labels, self.grid)[0] < own
        found = [
            exchanged_regions(self._regions(mine), self._regions(other), first_learns, counted)
            for mine, other in pairs
        ]
        return loss + self.region * torch.stack(found).mean() / regions

    def _labels(self, seen: Observation) -> Tensor:
        told = seen.taught_frames(seen.batch["label"])
        return classes_of_size(told, told.shape[1:])

    def _partners(self, seen: Observation) -> tuple[Tensor, Maps]:
        """The partner's logits for the frames, and what its named modules return."""
        names = [other for _, other in self.pairs]
        with seen.precision.passes(), tapped(self.partner, names) as maps:
            answer = seen.run(self.partner, seen.taught_frames(seen.clip))
        return seen.precision.outputs(answer), maps

    def _features(self, seen: Observation, theirs: Maps) -> list[tuple[Tensor, Tensor]]:
        return [
            (own, in_single_precision(other))
            for name, named in self.pairs
            for own, other in zip(seen.maps(name), theirs[named], strict=True)
        ]

    def _regions(self, maps: Tensor) -> Tensor:
        """Maps (N, C, H, W) averaged to the regions; the grid is within every map."""
        return F.adaptive_avg_pool2d(maps, self.grid)


def _smallest_map(
    setting: Setting, partner: nn.Module, pairs: list[tuple[str, str]], name: str
) -> tuple[int, int]:
    """The fewest rows and columns of what is compared; ValueError for what cannot be."""
    with torch.no_grad(), evaluation_mode(partner), tapped(partner, [other for _, other in pairs]) as maps:
        answer = setting.run(partner, setting.frames)
    wanted = setting.teacher_answer()
    maps_of_logits = isinstance(answer, Tensor) and answer.dim() == wanted.dim() == 4
    if not maps_of_logits or answer.shape[1] != wanted.shape[1]:
        raise ValueError(
            f"objective collaboration: teacher and partner {name} must both return logits (N, "
            f"{wanted.shape[1]}, H, W); take it for segmentation, with such a partner"
        )
    shown = [answer]
    for own, other in pairs:
        for module, made in ((own, setting.maps(own)), (other, maps[other])):
            require_map(module, made)
            shown += made
    return min(each.shape[-2] for each in shown), min(each.shape[-1] for each in shown)
