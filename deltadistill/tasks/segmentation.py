"""Semantic segmentation: the loss over pixels, labels from logits, mIoU."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from deltadistill.metrics.miou import ConfusionMatrix
from deltadistill.processes import ALONE, Group

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

    def loss(
        self, logits: Tensor, labels: Tensor, *, of: Tensor | None = None, group: Group = ALONE
    ) -> Tensor:
        """Mean loss of logits (N, classes, H, W) against labels (N, H, W), 255 ignored; a scalar.

        Of a part of a batch, what it adds to the mean over the whole. of: what `extent` makes of the whole
            batch. group: the processes that hold the other parts, and call this at the same time; all their
            pixels together tell which are hard.
        """
        of = self.extent(labels) if of is None else of
        if self.name == "cross_entropy":
            loss = F.cross_entropy(
                logits,
                labels.long(),
                weight=self._weights(logits),
                ignore_index=IGNORED,
                reduction="sum",
            )
            return loss / of.to(loss)
        return self._hard_pixel_loss(logits, labels.long(), of, group)

    def extent(self, labels: Tensor) -> Tensor:
        """What the mean over the pixels of labels (N, H, W) divides by; those of parts add up to the whole's.

        The number of labelled pixels, each weighted by its class where the loss does so; float64.
        """
        labelled = labels != IGNORED
        if self.name == "ohem" or self.class_weights is None:
            return labelled.sum().double()
        counts = torch.bincount(labels[labelled].long(), minlength=self.classes)
        return torch.dot(counts.double(), self._weights(counts.double()))

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

    def _weights(self, like: Tensor) -> Tensor | None:
        return None if self.class_weights is None else like.new_tensor(self.class_weights)

    def _hard_pixel_loss(self, logits: Tensor, labels: Tensor, of: Tensor, group: Group) -> Tensor:
        labelled = labels != IGNORED
        loss = F.cross_entropy(
            logits, labels, weight=self._weights(logits), ignore_index=IGNORED, reduction="none"
        )
        with torch.no_grad():
            true_class = torch.where(labelled, labels, 0)[:, None]
            probability = logits.softmax(1).gather(1, true_class)[:, 0][labelled]
            hard, share = self._hard_pixels(probability, group)
            part = (
                share / float(of) if of else 0.0
            )  # share alone, but where the batch comes in several passes
        return loss[labelled][hard].sum() * part

    def _hard_pixels(self, probability: Tensor, group: Group) -> tuple[Tensor, float]:
        """Which pixels count, and how many pixels each stands for, of those of all processes together."""
        hard = probability <= self.ohem_threshold
        seen, chosen = _counts(hard, group)
        kept = max(1, int(self.ohem_keep * seen))
        if seen and chosen < kept:
            hard = probability <= float(group.gathered(probability).kthvalue(kept).values)
            seen, chosen = _counts(hard, group)
        return hard, seen / max(chosen, 1)


def _counts(hard: Tensor, group: Group) -> list[int]:
    return group.total(torch.tensor([hard.numel(), int(hard.sum())])).tolist()
