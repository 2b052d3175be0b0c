"""What a task is to everything else: batch to loss, output to prediction, prediction to score."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Frame
from deltadistill.metrics.counters import Counter
from deltadistill.metrics.measures import Measure
from deltadistill.processes.group import ALONE, Group

Predictions = Sequence[Any]
"""One prediction per frame: labels (N, H, W), or a list of `boxes.Detections`."""
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
    """

    measure: Measure

    def targets(self, references: Tensor, *, network: nn.Module) -> Any:
        """Turn the references of a batch into what `loss` compares with."""

    @property
    def extent_needs_outputs(self) -> bool:
        """Whether outputs decide what the loss of a batch divides by."""

    def extent(self, parts: Iterable[tuple[Any | None, Any]], group: Group = ALONE) -> Any:
        """What the loss of a whole batch divides by, to be handed on to `loss`.

        parts: (output, targets) of this process's parts; outputs may be None unless `extent_needs_outputs`.
        group: the processes that have the other parts, and call this together.
        """

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

    def near_objects(
        self, references: Tensor, size: tuple[int, int], *, network: nn.Module, threshold: float
    ) -> list[Tensor]:
        """Where the maps that the network's heads read lie near objects: bool (N, h, w) per map.

        size: (height, width) of the frames; threshold: as in tasks.near_objects. Raises ValueError for a task
        that knows no objects.
        """

    def predict(self, output: Any, *, network: nn.Module) -> Predictions:
        """What the output says about each frame; tensors stay on the network's device."""

    def reference(self, store: FrameStore) -> Reference:
        """Compare with the data set's annotations."""

    def as_reference(self, prediction: Any, frame: Frame) -> Any:
        """Turn a frame's prediction into what others are compared with."""

    def metric(self) -> Metric:
        """Make an empty metric."""

    def score(self, metric: Metric) -> float:
        """The main score of what a metric has collected, from 0 to 1."""

    def scores(self, metric: Metric) -> Scores:
        """All scores of what a metric has collected."""

    def as_array(self, predictions: Predictions) -> np.ndarray:
        """The predictions of a clip as one array, frames first, to be kept for pictures."""


def on_processor(predictions: Predictions) -> Predictions:
    """The same predictions, tensors on the processor."""
    return tree_map_only(Tensor, Tensor.cpu, predictions)
