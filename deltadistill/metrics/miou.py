"""Mean intersection over union from a confusion matrix that is summed over frames."""

from __future__ import annotations

import torch
from torch import Tensor


class ConfusionMatrix:
    """Counts of (target, prediction) pairs; matrices of the same classes can be added.

    `counts[t, p]` is the number of pixels of class t that were predicted as p. Pixels whose target is
    `ignore` are not counted; targets and predictions must otherwise lie in 0 … classes − 1.
    """

    def __init__(self, classes: int, ignore: int = 255) -> None:
        if classes < 1:
            raise ValueError(f"classes must be at least 1, got {classes}")
        self.classes = classes
        self.ignore = ignore
        self.counts = torch.zeros(classes, classes, dtype=torch.int64)

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Count integer labels of equal shape, on any device. Raises ValueError for anything else."""
        if prediction.shape != target.shape:
            raise ValueError(
                f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ in shape; "
                "give class indices of the same size, not logits"
            )
        if prediction.is_floating_point() or target.is_floating_point():
            raise ValueError(f"labels must be integers, got {prediction.dtype} and {target.dtype}")
        target = target.to(prediction.device)
        labelled = target != self.ignore
        self._check(prediction, labelled, "prediction")
        self._check(target, labelled, "target")
        beyond = self.classes**2  # where pixels without label are counted, to be dropped
        pairs = torch.where(labelled, target.int() * self.classes + prediction.int(), beyond)
        counts = torch.bincount(pairs.flatten(), minlength=beyond + 1)[:beyond]
        self.counts += counts.view(self.classes, self.classes).to(self.counts.device)

    def _check(self, labels: Tensor, labelled: Tensor, role: str) -> None:
        wrong = ((labels < 0) | (labels >= self.classes)) & labelled
        if wrong.any():
            raise ValueError(
                f"{role} holds labels {labels[wrong].unique().tolist()}, "
                f"expected 0 to {self.classes - 1}; in targets {self.ignore} is ignored"
            )

    def iou(self) -> Tensor:
        """Return the IoU of each class, 0 to 1, float64 (classes,); NaN where a class never occurred.

        A class occurs when it was a target or a prediction: one that is only ever predicted wrongly has
        IoU 0 and lowers the mean.
        """
        intersection = self.counts.diagonal().double()
        union = (self.counts.sum(0) + self.counts.sum(1)).double() - intersection
        return intersection / union.masked_fill(union == 0, torch.nan)

    def miou(self) -> float:
        """Return the mean IoU over the classes that occurred, 0 to 1; NaN when nothing was counted."""
        return float(self.iou().nanmean())

    def state(self) -> Tensor | None:
        """Return the counts, or None where there are none."""
        return self.counts if self.counts.any() else None

    def add(self, state: Tensor) -> None:
        """Count what a matrix of the same classes has counted, whose state this is."""
        self.counts += state

    def __iadd__(self, other: ConfusionMatrix) -> ConfusionMatrix:
        if not isinstance(other, ConfusionMatrix) or other.classes != self.classes:
            raise ValueError(
                f"cannot add {other!r} to a confusion matrix of {self.classes} classes; count both alike"
            )
        self.counts += other.counts
        return self

    def __add__(self, other: ConfusionMatrix) -> ConfusionMatrix:
        total = ConfusionMatrix(self.classes, self.ignore)
        total += self
        total += other
        return total

    def __repr__(self) -> str:
        return f"ConfusionMatrix(classes={self.classes}, pixels={int(self.counts.sum())})"
