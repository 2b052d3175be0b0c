"""Improved precision and recall of generated pictures, by features (Kynkäänniemi et al., NeurIPS 2019)."""

from __future__ import annotations

import torch
from torch import Tensor

_ROWS = 1024  # features compared at once with all others


def precision_and_recall(made: Tensor, real: Tensor, *, neighbours: int = 3) -> tuple[float, float]:
    """The share of made features (N, D) among the real ones (M, D), and of the real ones among the made.

    A feature is among others where it is no farther from one of them than that one's k-th nearest
    neighbour, itself not counted. Raises ValueError where a set has no more than `neighbours` features.
    """
    if neighbours < 1 or min(len(made), len(real)) <= neighbours:
        raise ValueError(
            f"{len(made)} and {len(real)} features have no {neighbours}-th neighbours; give more pictures"
        )
    made, real = made.double(), real.double()
    return _share_among(made, real, neighbours), _share_among(real, made, neighbours)


def _share_among(features: Tensor, others: Tensor, neighbours: int) -> float:
    reach = torch.cat([_reach(some, others, neighbours) for some in others.split(_ROWS)])
    among = [(_distances(some, others) <= reach).any(1) for some in features.split(_ROWS)]
    return float(torch.cat(among).double().mean())


def _reach(some: Tensor, others: Tensor, neighbours: int) -> Tensor:
    """The distance to the k-th nearest of the others, of which each feature itself, at 0, is the first."""
    return _distances(some, others).kthvalue(neighbours + 1, dim=1).values


def _distances(some: Tensor, others: Tensor) -> Tensor:
    return torch.cdist(some, others, compute_mode="donot_use_mm_for_euclid_dist")
