"""Which of two networks is right at a place, by labels; and who learns what from whom there (Zhu et al.).

c and c′ are two networks' cross-entropies with the label, at a place or on average over a region.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from deltadistill.objectives.multi_granularity import self_likeness
from deltadistill.tasks.segmentation import IGNORED


def label_losses(logits: Tensor, classes: Tensor) -> Tensor:
    """Cross-entropy of logits (N, K, H, W) at every place (N, H, W); 0 where `classes` is IGNORED."""
    return F.cross_entropy(logits, classes, ignore_index=IGNORED, reduction="none")


def exchanged(logits: Tensor, others: Tensor, classes: Tensor) -> Tensor:
    """Sum over labelled places of KL(right ‖ other): where c′ < c the first learns, elsewhere the second.

    logits, others: (N, K, H, W) of the two networks. Whoever is right at a place has no gradient there.
    """
    labelled = classes != IGNORED
    with torch.no_grad():
        first_learns = label_losses(others, classes) < label_losses(logits, classes)
    to_first, to_second = divergences(others, logits), divergences(logits, others)
    return torch.where(first_learns, to_first, to_second)[labelled].sum()


def divergences(right: Tensor, learning: Tensor) -> Tensor:
    """KL(softmax(right) ‖ softmax(learning)) of logits (N, K, H, W) at every place; (N, H, W)."""
    told = right.detach().log_softmax(1)
    return (told.exp() * (told - learning.log_softmax(1))).sum(1)


def region_losses(losses: Tensor, classes: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Mean over the labelled places of each region, and whether it has any; (N, regions) both.

    losses: (N, H, W), 0 where there is no label. grid: rows and columns of regions.
    """
    share = F.adaptive_avg_pool2d((classes != IGNORED).to(losses)[:, None], grid).flatten(1)
    mean = F.adaptive_avg_pool2d(losses[:, None], grid).flatten(1)
    return mean / share.clamp(min=1e-12), share > 0


def exchanged_regions(maps: Tensor, others: Tensor, first_learns: Tensor, counted: Tensor) -> Tensor:
    """Sum over counted regions r of mean_s (S_rs − S′_rs)², S_rs the cosine of features of two regions.

    maps, others: (N, C, h, w) and (N, C′, h, w), a place of which is a region. first_learns: whose S_r
    follows the other's; counted: (N, regions) both.
    """
    own, theirs = self_likeness(maps), self_likeness(others)
    to_first = (own - theirs.detach()).square().mean(2)
    to_second = (theirs - own.detach()).square().mean(2)
    return torch.where(first_learns, to_first, to_second)[counted].sum()
