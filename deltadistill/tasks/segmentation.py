"""Semantic segmentation: the loss over pixels, labels from logits, mIoU."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from deltadistill.metrics.miou import ConfusionMatrix

IGNORED = 255


@dataclass(frozen=True)
class Segmentation:
    """The task of giving every pixel one of `classes` labels.

    name: "cross_entropy", or "ohem" (online hard example mining): only pixels whose true class has a
        probability below `ohem_threshold` count, at least the share `ohem_keep` of all labelled ones.
    class_weights: one weight per class, or None.
    """

    classes: int
    name: str = "cross_entropy"
    ohem_threshold: float = 0.9
    ohem_keep: float = 0.1
    class_weights: Sequence[float] | None = None

    def __post_init__(self):
        if self.class_weights is not None and len(self.class_weights) != self.classes:
            raise ValueError(
                f"class_weights has {len(self.class_weights)} entries; expected one per class: {self.classes}"
            )

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Mean loss of logits (N, classes, H, W) against labels (N, H, W), 255 ignored; a scalar."""
        weight = None if self.class_weights is None else logits.new_tensor(self.class_weights)
        labels = labels.long()
        if self.name == "cross_entropy":
            return F.cross_entropy(logits, labels, weight=weight, ignore_index=IGNORED)
        return self._hard_pixel_loss(logits, labels, weight)

    def imitation_loss(self, logits: Tensor, teacher_logits: Tensor) -> Tensor:
        """Mean over pixels of KL(teacher ‖ student) between class distributions; no label is needed.

        Both are logits (N, classes, H, W).
        """
        student, teacher = logits.log_softmax(1), teacher_logits.log_softmax(1)
        pixels = logits.numel() / logits.shape[1]
        return (teacher.exp() * (teacher - student)).sum() / pixels

    def predict(self, logits: Tensor) -> Tensor:
        """Labels (N, H, W), uint8, of logits (N, classes, H, W)."""
        # max is several times as fast as argmax over the second axis on a CPU
        return logits.max(1).indices.to(torch.uint8)

    def metric(self) -> ConfusionMatrix:
        """Make an empty confusion matrix."""
        return ConfusionMatrix(self.classes, ignore=IGNORED)

    def _hard_pixel_loss(self, logits: Tensor, labels: Tensor, weight: Tensor | None) -> Tensor:
        labelled = labels != IGNORED
        if not labelled.any():
            return logits.sum() * 0
        loss = F.cross_entropy(logits, labels, weight=weight, ignore_index=IGNORED, reduction="none")
        with torch.no_grad():
            true_class = torch.where(labelled, labels, 0)[:, None]
            probability = logits.softmax(1).gather(1, true_class)[:, 0][labelled]
            kept = max(1, int(self.ohem_keep * probability.numel()))
            threshold = max(self.ohem_threshold, float(probability.kthvalue(kept).values))
        hard = probability <= threshold
        return loss[labelled][hard].mean()
