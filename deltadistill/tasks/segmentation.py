"""Semantic segmentation: the loss over pixels, labels from logits, mIoU."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deltadistill.data.dataset_info import DatasetInfo
from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Frame
from deltadistill.metrics.measures import MIOU, Measure
from deltadistill.metrics.miou import ConfusionMatrix
from deltadistill.processes.group import ALONE, Group
from deltadistill.tasks.task import Form, Reference, Scores

IGNORED = 255


@dataclass(frozen=True)
class Extent:
    """The pixels that the mean loss over a batch is taken over.

    weight: their number, each weighted by its class where the loss does so; a scalar. threshold: the largest
        probability of the true class that a pixel of them may have, or None.
    """

    weight: Tensor
    threshold: float | None = None


@dataclass(frozen=True)
class Segmentation:
    """The task of giving every pixel one of `classes` labels; what every method is for says tasks.task.Task.

    An output is logits (N, classes, H, W); the network that made them need not be known.
    name: "cross_entropy", or "ohem" (online hard example mining): only pixels whose true class has a
        probability below `ohem_threshold` count, at least the share `ohem_keep` of all labelled ones.
    class_weights: one weight per class, or None.
    """

    measure: ClassVar[Measure] = MIOU
    form: ClassVar[Form] = "label_maps"

    classes: int
    name: str = "cross_entropy"
    ohem_threshold: float = 0.9
    ohem_keep: float = 0.1
    class_weights: Sequence[float] | None = None

    @classmethod
    def of_dataset(
        cls, info: DatasetInfo, *, boxes: Mapping[str, Any], loss: Mapping[str, Any] | None
    ) -> Segmentation:
        """Make the task, see tasks.task.TaskEntry."""
        mine = {name: value for name, value in (loss or {}).items() if name != "label_smoothing"}
        return cls(len(info.classes), **mine)

    def __post_init__(self) -> None:
        if self.class_weights is not None and len(self.class_weights) != self.classes:
            raise ValueError(
                f"class_weights has {len(self.class_weights)} entries; expected one per class: {self.classes}"
            )

    @property
    def extent_needs_outputs(self) -> bool:
        """Whether predictions decide which pixels count."""
        return self.name == "ohem"

    def targets(self, references: Tensor, *, network: nn.Module | None = None) -> Tensor:
        """Labels (N, H, W), as they are."""
        return references

    def loss(
        self,
        logits: Tensor,
        labels: Tensor,
        of: Extent | None = None,
        *,
        group: Group = ALONE,
        network: nn.Module | None = None,
    ) -> Tensor:
        """Mean loss of logits (N, classes, H, W) against labels (N, H, W), 255 ignored; a scalar.

        of: the extent of a whole batch, of which these are a part; then what they add to the whole's mean.
        group: without `of`, the processes whose logits and labels are a whole together.
        """
        losses = _pixel_losses(logits, labels)
        of = of or self._extent_of([losses.detach()], [labels], group)
        if of.threshold is not None:
            losses = losses.where(_true_class(losses.detach()) <= of.threshold, 0)
        if self.class_weights is not None:
            losses = losses * self._weights(losses)[labels.long().clamp(max=self.classes - 1)]
        return losses.sum() / of.weight.to(losses)

    @torch.no_grad()
    def extent(self, parts: Iterable[tuple[Tensor | None, Tensor]], group: Group = ALONE) -> Extent:
        """What the mean loss over a whole batch is taken over.

        parts: (logits, labels) of this process's parts; logits may be None unless `extent_needs_outputs`.
        group: the processes that have the other parts, and call this together.
        """
        losses, labels = [], []
        for logits, label in parts:  # one after the other, so that no two parts' logits are held at once
            labels.append(label)
            if self.extent_needs_outputs:
                assert logits is not None  # see extent_needs_outputs
                losses.append(_pixel_losses(logits, label))
        return self._extent_of(losses, labels, group)

    def imitation_loss(
        self,
        logits: Tensor,
        teacher_logits: Tensor,
        *,
        network: nn.Module | None = None,
        teacher: nn.Module | None = None,
    ) -> Tensor:
        """Mean over pixels of KL(teacher ‖ student) between class distributions; no label is needed.

        Both are logits (N, classes, H, W).
        """
        student, taught = logits.log_softmax(1), teacher_logits.log_softmax(1)
        pixels = logits.numel() / logits.shape[1]
        return (taught.exp() * (taught - student)).sum() / pixels

    def predict(self, logits: Tensor, *, network: nn.Module | None = None) -> Tensor:
        """Labels (N, H, W), uint8, of logits (N, classes, H, W)."""
        # max is several times as fast as argmax over the second axis on a CPU
        return logits.max(1).indices.to(torch.uint8)

    def reference(self, store: FrameStore) -> Reference:
        """The data set's labels (H, W)."""
        return store.label

    def as_reference(self, prediction: Tensor, frame: Frame) -> Tensor:
        """Predicted labels (H, W) as if they were the data set's."""
        return prediction.cpu()

    def metric(self) -> ConfusionMatrix:
        """Make an empty confusion matrix."""
        return ConfusionMatrix(self.classes, ignore=IGNORED)

    def score(self, metric: ConfusionMatrix) -> float:
        """Mean IoU."""
        return metric.miou()

    def scores(self, metric: ConfusionMatrix) -> Scores:
        """Mean IoU, and the IoU of each class."""
        return Scores({MIOU.key: metric.miou()}, metric.iou().tolist())

    def as_array(self, predictions: Sequence[Tensor]) -> np.ndarray:
        """Labels (F, H, W), uint8."""
        return np.stack([labels.numpy() for labels in predictions])

    def _extent_of(self, losses: Sequence[Tensor], labels: Sequence[Tensor], group: Group) -> Extent:
        if self.extent_needs_outputs:
            seen = [_true_class(loss)[label != IGNORED] for loss, label in zip(losses, labels, strict=True)]
            return self._hard_extent(torch.cat(seen), group)
        return Extent(group.total(torch.stack([self._weight_of(label) for label in labels]).sum(0)))

    def _weights(self, like: Tensor) -> Tensor:
        return like.new_tensor(self.class_weights)

    def _weight_of(self, labels: Tensor) -> Tensor:
        """The number of labelled pixels, each weighted by its class where the loss does so; float64."""
        labelled = labels != IGNORED
        if self.class_weights is None:
            return labelled.sum().double()
        counts = torch.bincount(labels[labelled].long(), minlength=self.classes).double()
        return torch.dot(counts, self._weights(counts))

    def _hard_extent(self, probability: Tensor, group: Group) -> Extent:
        """Pixels below the threshold, or the hardest of all processes' where those would be too few."""
        threshold = self.ohem_threshold
        seen, hard = _counts(probability, threshold, group)
        kept = max(1, int(self.ohem_keep * seen))
        if seen and hard < kept:
            threshold = float(group.gathered(probability).kthvalue(kept).values)
            seen, hard = _counts(probability, threshold, group)
        return Extent(torch.tensor(float(max(hard, 1)), dtype=torch.float64), threshold)


def _pixel_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """−log of the probability of the true class (N, H, W), 0 where there is none."""
    return F.cross_entropy(logits, labels.long(), ignore_index=IGNORED, reduction="none")


def _true_class(losses: Tensor) -> Tensor:
    """The probability of the true class that a pixel's loss comes from."""
    return torch.exp(-losses)


def _counts(probability: Tensor, threshold: float, group: Group) -> list[int]:
    hard = probability <= threshold
    return group.total(torch.tensor([hard.numel(), int(hard.sum())])).tolist()
