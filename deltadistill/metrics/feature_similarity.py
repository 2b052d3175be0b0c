"""How near features of frames are to others: their cosine, and whether the nearest frame stays it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_ZERO = 1e-12  # lengths below have no direction


class FeatureSimilarity:
    """Adds up the cosines between features and what they should be."""

    def __init__(self, similarity: float = 0.0, frames: int = 0) -> None:
        self.similarity, self.frames = similarity, frames

    def update(self, prediction: Tensor, reference: Tensor) -> None:
        """Count a frame's feature (C,) against what it should be; ValueError for another shape."""
        if prediction.shape != reference.shape:
            raise ValueError(
                f"a feature of {tuple(prediction.shape)} cannot be compared with {tuple(reference.shape)}"
            )
        self.similarity += float(cosine(prediction.double(), reference.double()))
        self.frames += 1

    def mean(self) -> float:
        """The mean cosine, 1 where directions are the same; NaN before the first."""
        return self.similarity / self.frames if self.frames else float("nan")

    def percent(self) -> float:
        """The same in percent."""
        return 100 * self.mean()

    def coverage_percent(self) -> float:
        """All of what is compared counts; NaN before the first."""
        return 100.0 if self.frames else float("nan")

    def state(self) -> tuple[float, int] | None:
        """All that was counted, or None where that is nothing."""
        return (self.similarity, self.frames) if self.frames else None

    def add(self, state: tuple[float, int]) -> None:
        """Count what another one has counted, whose state this is."""
        similarity, frames = state
        self.similarity, self.frames = self.similarity + similarity, self.frames + frames

    def __add__(self, other: FeatureSimilarity) -> FeatureSimilarity:
        return FeatureSimilarity(self.similarity + other.similarity, self.frames + other.frames)


def cosine(one: Tensor, other: Tensor) -> Tensor:
    """Cosines of features (…, C), (…); two features without a direction are the same."""
    found = F.cosine_similarity(one, other, dim=-1, eps=_ZERO)
    both_zero = (one.norm(dim=-1) < _ZERO) & (other.norm(dim=-1) < _ZERO)
    return torch.where(both_zero, torch.ones_like(found), found)


def nearest_kept(features: Tensor, wanted: Tensor, *, apart: int = 1) -> float:
    """Share of frames whose nearest other frame, by cosine, is the same for `features` as for `wanted`.

    features, wanted: of all frames of a video, (F, C). apart: frames nearer in time than this are left out,
    which are near in any case. A query is a frame of `features`; it is looked up among the frames of
    `wanted`, an index that was made in full. NaN where no frame is far enough from another.
    Raises ValueError for other shapes.
    """
    if features.shape != wanted.shape or features.dim() != 2:
        raise ValueError(
            f"features of {tuple(features.shape)} and {tuple(wanted.shape)}; expected both (frames, C)"
        )
    times = torch.arange(len(wanted))
    allowed = (times[:, None] - times).abs() >= max(apart, 1)
    asked = allowed.any(1)
    if not asked.any():
        return float("nan")
    index = F.normalize(wanted.double(), dim=1)
    found, true = (
        (F.normalize(each.double(), dim=1) @ index.T).masked_fill(~allowed, -2).argmax(1)
        for each in (features, wanted)
    )
    return (found == true)[asked].double().mean().item()
