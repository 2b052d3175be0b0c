"""Classification of frames: the loss over frames, the likeliest classes, top-1, top-5 and calibration."""

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
from deltadistill.metrics.measures import TOP1, Measure
from deltadistill.metrics.top_classes import Ranking, TopClasses
from deltadistill.processes.group import ALONE, Group
from deltadistill.tasks.task import Form, Reference, Scores

IGNORED = -1
GUESSES = 5


@dataclass(frozen=True)
class Classification:
    """The task of saying which of `classes` classes a frame shows; what every method is for says tasks.task.

    An output is logits (N, classes); the network that made them need not be known. References of a batch are
    class indices (N,), NaN where a frame has none.
    label_smoothing: the share of the probability that the loss wants spread evenly over all classes.
    """

    measure: ClassVar[Measure] = TOP1
    form: ClassVar[Form] = "rankings"

    classes: int
    label_smoothing: float = 0.0

    @classmethod
    def of_dataset(
        cls, info: DatasetInfo, *, boxes: Mapping[str, Any], loss: Mapping[str, Any] | None
    ) -> Classification:
        """Make the task, see tasks.task.TaskEntry; ValueError for settings that are of other tasks."""
        loss = loss or {}
        if loss.get("name", "cross_entropy") != "cross_entropy" or loss.get("class_weights") is not None:
            raise ValueError(
                f"loss {loss['name']} with class_weights {loss.get('class_weights')} is for label maps; a "
                "classification takes name: cross_entropy, class_weights: null"
            )
        return cls(len(info.classes), loss.get("label_smoothing", 0.0))

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing is {self.label_smoothing}; expected 0 or more, below 1")

    def targets(self, references: Tensor, *, network: nn.Module | None = None) -> Tensor:
        """Class indices (N,) int64, IGNORED for a frame without."""
        return references.nan_to_num(nan=IGNORED).long()

    @property
    def extent_needs_outputs(self) -> bool:
        """Which frames count follows from the labels alone."""
        return False

    def extent(self, parts: Iterable[tuple[Any, Tensor]], group: Group = ALONE) -> Tensor:
        """The labelled frames of the whole batch, at least 1; float64. Arguments as in tasks.task.Task."""
        counts = [(labels != IGNORED).sum().double() for _, labels in parts]
        return group.total(torch.stack(counts).sum(0)).clamp(min=1)

    def loss(
        self,
        logits: Tensor,
        labels: Tensor,
        of: Tensor | None = None,
        *,
        group: Group = ALONE,
        network: nn.Module | None = None,
    ) -> Tensor:
        """Mean cross entropy of logits (N, classes) against labels (N,), IGNORED left out; a scalar.

        of: the extent of a whole batch, of which these are a part; then what they add to the whole's mean.
        group: without `of`, the processes whose logits and labels are a whole together.
        Raises ValueError for an output of another form.
        """
        self._require_logits(logits)
        of = self.extent([(logits, labels)], group) if of is None else of
        losses = F.cross_entropy(
            logits, labels, ignore_index=IGNORED, label_smoothing=self.label_smoothing, reduction="sum"
        )
        return losses / of.to(losses)

    def imitation_loss(
        self,
        logits: Tensor,
        teacher_logits: Tensor,
        *,
        network: nn.Module | None = None,
        teacher: nn.Module | None = None,
    ) -> Tensor:
        """Mean over frames of KL(teacher ‖ student) between class distributions; no label is needed."""
        student, taught = logits.log_softmax(1), teacher_logits.log_softmax(1)
        return (taught.exp() * (taught - student)).sum() / len(logits)

    def predict(self, logits: Tensor, *, network: nn.Module | None = None) -> list[Ranking]:
        """The five likeliest classes of each frame, or all where there are fewer; of equals the first."""
        self._require_logits(logits)
        scores, classes = logits.softmax(1).sort(dim=1, descending=True, stable=True)
        return [Ranking(c, s) for c, s in zip(classes[:, :GUESSES], scores[:, :GUESSES], strict=True)]

    def reference(self, store: FrameStore) -> Reference:
        """The data set's class of a frame, None where it has none."""
        return true_class

    def as_reference(self, prediction: Ranking, frame: Frame) -> int:
        """The likeliest class as if it were the data set's."""
        return int(prediction.classes[0])

    def metric(self) -> TopClasses:
        """Make an empty count."""
        return TopClasses(self.classes, IGNORED)

    def score(self, metric: TopClasses) -> float:
        """Top-1 accuracy over all frames."""
        return metric.top1()

    def scores(self, metric: TopClasses) -> Scores:
        """Top-1, top-5 and calibration error over all frames, and top-1 over those of each class."""
        found = {"top5": metric.among(), "ece": metric.calibration_error()}
        return Scores({TOP1.key: metric.top1(), **found}, metric.top1_by_class().tolist())

    def as_array(self, predictions: Sequence[Ranking]) -> np.ndarray:
        """Guesses float32 (F, k, 2): class and probability, the likeliest first."""
        return np.stack([np.column_stack([p.classes, p.scores]).astype(np.float32) for p in predictions])

    def _require_logits(self, output: Any) -> None:
        if not isinstance(output, Tensor) or output.ndim != 2 or output.shape[1] != self.classes:
            found = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise ValueError(
                f"the network returns {found}; a classification needs logits (N, {self.classes}), one row a "
                "frame: choose a classifier for model.name"
            )


def true_class(frame: Frame) -> int | None:
    """The class that a data set says a frame shows, or None."""
    return None if frame.target is None else int(frame.target)
