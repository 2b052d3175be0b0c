"""Features of frames: without labels, compared with the per-frame network's by their direction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from deltadistill.data.dataset_info import DatasetInfo
from deltadistill.data.frames import FrameStore
from deltadistill.data.manifest import Frame
from deltadistill.metrics.feature_similarity import FeatureSimilarity, cosine
from deltadistill.metrics.measures import FEATURE_SIMILARITY, Measure
from deltadistill.tasks.task import Reference, Scores, Task


@dataclass(frozen=True)
class Features(Task):
    """The task of making the first of a network's outputs, a vector a frame (N, C), as the network does.

    Directions count, as features are compared by their cosine. There are no labels: evaluations are against
    the teacher (`reference: teacher`), and students learn from it. classes: of the data set, which all get
    the one score.
    """

    classes: int
    measure: Measure = FEATURE_SIMILARITY

    @classmethod
    def of_dataset(
        cls, info: DatasetInfo, *, boxes: Mapping[str, Any], loss: Mapping[str, Any] | None
    ) -> Features:
        """Make the task, see tasks.task.TaskEntry."""
        return cls(len(info.classes))

    def loss(self, output: Any, targets: Any, of: Any = None, **who: Any) -> Tensor:
        """Raise ValueError: there are no labels."""
        raise ValueError(
            "features have no labels to learn from; keep the network as it is (pretrain_teacher.steps: 0) "
            "and distill without labels (distill.loss.task: teacher or none)"
        )

    def imitation_loss(
        self, output: Any, teacher_output: Any, *, network: nn.Module, teacher: nn.Module | None = None
    ) -> Tensor:
        """1 − cosine of the first outputs, mean over frames."""
        return (1 - cosine(_first(output), _first(teacher_output))).mean()

    def predict(self, output: Any, *, network: nn.Module) -> Any:
        """The first output, (N, C); ValueError where it is none."""
        return _first(output).detach()

    def reference(self, store: FrameStore) -> Reference:
        """Nothing is known of a frame but what the network says."""

        def unknown(frame: Frame) -> Any:
            raise ValueError(
                f"frame {frame.index} of {frame.clip} has no feature to compare with; "
                "set `reference: teacher`"
            )

        return unknown

    def metric(self) -> FeatureSimilarity:
        """Make an empty count."""
        return FeatureSimilarity()

    def scores(self, metric: Any) -> Scores:
        """The mean cosine over frames; below 0 counts as 0, which a score cannot be below."""
        similarity = max(0.0, metric.mean()) if metric.frames else metric.mean()
        return Scores({FEATURE_SIMILARITY.key: similarity}, [similarity] * self.classes)

    def as_array(self, predictions: Sequence[Tensor]) -> np.ndarray:
        """Features, float32 (F, C)."""
        return torch.stack(list(predictions)).numpy()

    def agreement(self, store: FrameStore) -> FeaturesInTurn:
        """Compare features of successive frames."""
        return FeaturesInTurn()


def _first(output: Any) -> Tensor:
    first = tree_leaves(output)[0]
    if not isinstance(first, Tensor) or first.dim() != 2:
        found = tuple(first.shape) if isinstance(first, Tensor) else type(first).__name__
        raise ValueError(f"the network's first output is {found}; expected a feature a frame, (N, C)")
    return first.float()


class FeaturesInTurn:
    """How alike features of successive frames are; see evaluation.agreement.Agreement."""

    ways = (("features", "all"),)

    def meter(self) -> FeatureSimilarity:
        """Make an empty count."""
        return FeatureSimilarity()

    def between(self, pairs: Sequence[tuple[Frame, Frame]]) -> Iterator[tuple[tuple[str, str], Any]]:
        """The one way, and what counts in it."""
        yield self.ways[0], _count


def _count(meter: FeatureSimilarity, before: Sequence[Tensor], now: Sequence[Tensor]) -> None:
    for then, current in zip(before, now, strict=True):
        meter.update(then, current)
