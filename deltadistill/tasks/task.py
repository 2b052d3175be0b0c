"""What a task is to everything else: batch to loss, output to prediction, prediction to score."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from deltadistill.data.dataset_info import DatasetInfo
from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Frame
from deltadistill.metrics.counters import Counter
from deltadistill.metrics.measures import Measure
from deltadistill.processes.group import ALONE, Group

Predictions = Sequence[Any]
"""One prediction per frame: labels (N, H, W), a list of `boxes.Detections`, of `top_classes.Ranking` …"""
Form = Literal["label_maps", "detections", "rankings", "own"]
"""What a task's predictions are: one of those just named, or something of its own."""
Reference = Callable[[Frame], Any]
"""Maps a frame to what its prediction is compared with."""


class Metric(Counter, Protocol):
    """Counts predictions against what they are compared with; metrics of a task add up with +."""

    def update(self, prediction: Any, reference: Any) -> None:
        """Count one frame."""


@dataclass(frozen=True)
class Scores:
    """Scores from 0 to 1, NaN where nothing of the kind occurred: by key, and the main one class by class."""

    overall: Mapping[str, float]
    by_class: Sequence[float]


class Task(Protocol):
    """What the network learns to say about a frame, and how good that is.

    An output is whatever tree of tensors a network has for frames, frames first (forward/outputs.py).
    `network` is the one whose output it is: a detection network knows its anchors. References of a batch
    are (N, …), one per frame.

    A task that is derived from this class has what has a body here: references as they are, and a loss that
    is a mean over frames.

    form: decides how successive predictions are compared (consistency.agreement). A task of form "own" may
        have a method `agreement(store)` for that, which returns a consistency.agreement.Agreement.
    """

    measure: Measure
    form: Form = "own"

    def targets(self, references: Tensor, *, network: nn.Module) -> Any:
        """Turn the references of a batch into what `loss` compares with."""
        return references

    @property
    def extent_needs_outputs(self) -> bool:
        """Whether outputs decide what the loss of a batch divides by."""
        return False

    def extent(self, parts: Iterable[tuple[Any | None, Any]], group: Group = ALONE) -> Any:
        """What the loss of a whole batch divides by, to be handed on to `loss`.

        parts: (output, targets) of this process's parts; outputs may be None unless `extent_needs_outputs`.
        group: the processes that have the other parts, and call this together.
        """
        frames = sum(len(targets) for _, targets in parts)
        return group.total(torch.tensor(frames, dtype=torch.float64))

    def loss(
        self,
        output: Any,
        targets: Any,
        of: Any | None = None,
        *,
        group: Group = ALONE,
        network: nn.Module,
    ) -> Tensor:
        """The loss, a scalar; of a part of a batch, what it adds to the whole's.

        of: the extent of the whole batch; None: that of what the processes of `group` give here together.
        """

    def imitation_loss(
        self, output: Any, teacher_output: Any, *, network: nn.Module, teacher: nn.Module | None = None
    ) -> Tensor:
        """How far an output is from a teacher's for the same frames, mean over frames; no label is needed.

        teacher: the network whose output the second is; None: the same network.
        """

    def predict(self, output: Any, *, network: nn.Module) -> Predictions:
        """What the output says about each frame; tensors stay on the network's device."""

    def reference(self, store: FrameStore) -> Reference:
        """Compare with the data set's annotations."""

    def as_reference(self, prediction: Any, frame: Frame) -> Any:
        """Turn a frame's prediction into what others are compared with."""
        return prediction

    def metric(self) -> Metric:
        """Make an empty metric."""

    def score(self, metric: Metric) -> float:
        """The main score of what a metric has collected, from 0 to 1."""
        return self.scores(metric).overall[self.measure.key]

    def scores(self, metric: Metric) -> Scores:
        """All scores of what a metric has collected."""

    def as_array(self, predictions: Predictions) -> np.ndarray:
        """The predictions of a clip as one array, frames first, to be kept for pictures."""


class TaskEntry(Protocol):
    """What tasks.registry names: a class that makes its task for a data set."""

    def of_dataset(
        self, info: DatasetInfo, *, boxes: Mapping[str, Any], loss: Mapping[str, Any] | None
    ) -> Task:
        """Make the task; what its data set or the sections hold beyond that is of no meaning to it.

        boxes: the section of that name: what Suppression takes, and `shown_score`.
        loss: the section pretrain_teacher.loss or its like; None where nothing is trained.
        """


def on_processor(predictions: Predictions) -> Predictions:
    """The same predictions, tensors on the processor."""
    return tree_map_only(Tensor, Tensor.cpu, predictions)
