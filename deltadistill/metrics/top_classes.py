"""Top-1 and top-k accuracy, how often the true class is the likeliest or among k, and calibration."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

_FRAMES, _FIRST, _AMONG = range(3)
_BINS = 15  # of the likeliest class's probability, equally wide
_UNIT = 2**30  # a probability is counted as a whole number of these parts, so that sums know no order


class Ranking(NamedTuple):
    """The likeliest classes of a frame: indices (k,) int64 and probabilities (k,), falling."""

    classes: Tensor
    scores: Tensor


class TopClasses:
    """Counts frames by their true class; counts of the same classes can be added.

    `counts[c]` holds, of class c, the frames, those whose first guess is right, and those with the truth
    among the guesses. A frame whose true class is None or `ignore` is not counted.
    `confidences[b]` holds, of the frames whose likeliest class has a probability of bin b, their number,
    those that are right, and the sum of the probabilities.
    """

    def __init__(self, classes: int, ignore: int = -1) -> None:
        if classes < 1:
            raise ValueError(f"classes must be at least 1, got {classes}")
        self.classes, self.ignore = classes, ignore
        self.counts = torch.zeros(classes, 3, dtype=torch.int64)
        self.confidences = torch.zeros(_BINS, 3, dtype=torch.int64)

    def update(self, prediction: Ranking, truth: int | None) -> None:
        """Count a frame by its likeliest classes, each once, and the true one.

        Raises ValueError for classes that there are not, and for a frame without a guess.
        """
        if truth is None or truth == self.ignore:
            return
        guesses = prediction.classes
        if guesses.ndim != 1 or not len(guesses) or guesses.is_floating_point():
            raise ValueError(
                f"guesses are {guesses.dtype} {tuple(guesses.shape)}; expected class indices (k,), "
                "the likeliest first"
            )
        wrong = [c for c in (*guesses.tolist(), truth) if not 0 <= c < self.classes]
        if wrong:
            raise ValueError(f"there is no class {wrong[0]}; expected 0 to {self.classes - 1}")
        right = guesses == truth
        self.counts[truth] += torch.tensor([1, int(right[0]), int(right.any())])
        sure = min(max(prediction.scores[0].item(), 0.0), 1.0)
        place = min(int(sure * _BINS), _BINS - 1)
        self.confidences[place] += torch.tensor([1, int(right[0]), round(sure * _UNIT)])

    def top1(self) -> float:
        """Share of the frames whose first guess is right, 0 to 1; NaN when nothing was counted."""
        return self._share(_FIRST)

    def among(self) -> float:
        """Share of the frames with the truth among the guesses; NaN when nothing was counted."""
        return self._share(_AMONG)

    def top1_by_class(self) -> Tensor:
        """Return `top1` over the frames of each class, float64 (classes,); NaN where a class has none."""
        return self.counts[:, _FIRST].double() / self.counts[:, _FRAMES]

    def calibration_error(self) -> float:
        """Expected calibration error (Guo et al., ICML 2017, Eq. 3), 0 to 1; NaN when nothing was counted.

        The mean over frames of |share that is right − mean probability| in the bin of their probability.
        """
        frames, right, sure = self.confidences.double().unbind(1)
        return float((right - sure / _UNIT).abs().sum() / frames.sum())

    def state(self) -> Tensor | None:
        """Return the counts and those of confidences, or None where there are none."""
        return torch.cat([self.counts, self.confidences]) if self.counts.any() else None

    def add(self, state: Tensor) -> None:
        """Count what another one of the same classes has counted, whose state this is."""
        self.counts += state[: self.classes]
        self.confidences += state[self.classes :]

    def __add__(self, other: TopClasses) -> TopClasses:
        if not isinstance(other, TopClasses) or other.classes != self.classes:
            raise ValueError(f"cannot add {other!r} to counts of {self.classes} classes; count both alike")
        total = TopClasses(self.classes, self.ignore)
        total.counts = self.counts + other.counts
        total.confidences = self.confidences + other.confidences
        return total

    def __repr__(self) -> str:
        return f"TopClasses(classes={self.classes}, frames={int(self.counts[:, _FRAMES].sum())})"

    def _share(self, column: int) -> float:
        frames, right = self.counts[:, _FRAMES].sum().item(), self.counts[:, column].sum().item()
        return right / frames if frames else float("nan")
