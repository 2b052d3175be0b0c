"""DisWOT: how alike an untrained student and its teacher see tells how well it will learn.

"DisWOT: Student Architecture Search for Distillation WithOut Training" (Dong, Li, Wei, 2023). Its claim:
the likeness of semantic maps and of relations between samples, of student and teacher with random weights,
ranks students as distillation does, so that the best is found at least 180 times faster than by training.

    semantic  ‖G(s) − G(t)‖²,  G_ij = cos of the maps of classes i and j over frames and places
    relation  ‖R(s) − R(t)‖²,  R_ij = cos of the features of frames i and j
    likeness = −(semantic / K² + relation / N²)

Departures: class maps are the logits of a segmentation network, where a classifier's are made from its last
features and weights; means in place of sums, so that neither term grows with classes or frames. The
evolutionary search is not here: students of this project are few enough to score all.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def likeness(logits: Tensor, taught: Tensor, features: Tensor, taught_features: Tensor) -> float:
    """How alike a student and a teacher are on the same frames, at most 0; more is more alike.

    logits, taught: (N, K, H, W) of both, equal K; sizes may differ. features: maps (N, C, h, w) of both, of
    any channels and sizes. Raises ValueError for other numbers of classes or frames, and for one frame, which
    has no relations.
    """
    if logits.shape[:2] != taught.shape[:2]:
        raise ValueError(
            f"logits of {tuple(logits.shape[:2])} and {tuple(taught.shape[:2])} frames and classes cannot be "
            "compared; both networks must answer the same frames with the same classes"
        )
    if len(features) != len(taught_features) or len(features) < 2:
        raise ValueError(
            f"features of {len(features)} and {len(taught_features)} frames tell no relations; give at least "
            "two frames, the same to both"
        )
    semantic = (class_likeness(logits) - class_likeness(taught)).square().mean()
    relation = (frame_likeness(features) - frame_likeness(taught_features)).square().mean()
    return -float(semantic + relation)


def class_likeness(logits: Tensor) -> Tensor:
    """Cosine of every two classes' maps over all frames and places; (K, K) of logits (N, K, H, W)."""
    maps = F.normalize(logits.double().movedim(1, 0).flatten(1), dim=1)
    return maps @ maps.T


def frame_likeness(features: Tensor) -> Tensor:
    """Cosine of every two frames' features; (N, N) of maps (N, C, h, w)."""
    flat = F.normalize(features.double().flatten(1), dim=1)
    return flat @ flat.T


def rank_correlation(one: list[float], other: list[float]) -> float:
    """Spearman's ρ of two lists of equal length, ties at their mean rank.

    Raises ValueError for fewer than two pairs, and where all of one list are the same.
    """
    if len(one) != len(other) or len(one) < 2:
        raise ValueError(f"lists of {len(one)} and {len(other)} have no correlation; give two or more pairs")
    ranks = torch.stack([_ranks(one), _ranks(other)])
    if bool((ranks.std(1) == 0).any()):
        raise ValueError("all values of a list are the same; they have no order to compare")
    return float(torch.corrcoef(ranks)[0, 1])


def _ranks(values: list[float]) -> Tensor:
    given = torch.tensor(values, dtype=torch.float64)
    below = (given[:, None] > given[None]).sum(1)
    return below + ((given[:, None] == given[None]).sum(1) - 1) / 2
