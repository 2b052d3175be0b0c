"""Maps of numbers, such as features or edges: without labels, compared with the per-frame network's."""

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
from deltadistill.metrics.map_error import MapError
from deltadistill.metrics.measures import MAP_AGREEMENT, Measure
from deltadistill.tasks.own_boxes import relative_error
from deltadistill.tasks.task import Reference, Scores, Task


@dataclass(frozen=True)
class Maps(Task):
    """The task of making the first of a network's outputs, a map (N, C, h, w), as the network does.

    There are no labels: evaluations are against the teacher (`reference: teacher`), and students learn from
    it. classes: of the data set, which all get the one score.
    """

    classes: int
    measure: Measure = MAP_AGREEMENT

    @classmethod
    def of_dataset(
        cls, info: DatasetInfo, *, boxes: Mapping[str, Any], loss: Mapping[str, Any] | None
    ) -> Maps:
        """Make the task, see tasks.task.TaskEntry."""
        return cls(len(info.classes))

    def loss(self, output: Any, targets: Any, of: Any = None, **who: Any) -> Tensor:
        """Raise ValueError: there are no labels."""
        raise ValueError(
            "maps have no labels to learn from; keep the network as it is (pretrain_teacher.steps: 0) and "
            "distill without labels (distill.loss.task: teacher or none)"
        )

    def imitation_loss(
        self, output: Any, teacher_output: Any, *, network: nn.Module, teacher: nn.Module | None = None
    ) -> Tensor:
        """Relative squared error of each of the network's outputs, mean over outputs and frames."""
        return relative_error(output, teacher_output)

    def predict(self, output: Any, *, network: nn.Module) -> Any:
        """The first output, (N, C, h, w); ValueError where it is no map."""
        first = tree_leaves(output)[0]
        if not isinstance(first, Tensor) or first.dim() != 4:
            found = tuple(first.shape) if isinstance(first, Tensor) else type(first).__name__
            raise ValueError(f"the network's first output is {found}; expected a map (N, C, h, w)")
        return first.detach().float()

    def reference(self, store: FrameStore) -> Reference:
        """Nothing is known of a frame but what the network says."""

        def unknown(frame: Frame) -> Any:
            raise ValueError(
                f"frame {frame.index} of {frame.clip} has no map to compare with; set `reference: teacher`"
            )

        return unknown

    def metric(self) -> MapError:
        """Make an empty count."""
        return MapError()

    def scores(self, metric: Any) -> Scores:
        """1 − the relative squared error, over all frames together."""
        agreement = metric.agreement()
        return Scores({MAP_AGREEMENT.key: agreement}, [agreement] * self.classes)

    def as_array(self, predictions: Sequence[Tensor]) -> np.ndarray:
        """Means over channels, float32 (F, h, w)."""
        return torch.stack([each.mean(0) for each in predictions]).numpy()

    def agreement(self, store: FrameStore) -> MapsInTurn:
        """Compare maps of successive frames, place by place."""
        return MapsInTurn()


class MapsInTurn:
    """How far maps of successive frames agree where nothing is moved; see evaluation.agreement.Agreement."""

    ways = (("maps", "all"),)

    def meter(self) -> MapError:
        """Make an empty count."""
        return MapError()

    def between(self, pairs: Sequence[tuple[Frame, Frame]]) -> Iterator[tuple[tuple[str, str], Any]]:
        """The one way, and what counts in it."""
        yield self.ways[0], _count


def _count(meter: MapError, before: Sequence[Tensor], now: Sequence[Tensor]) -> None:
    for then, current in zip(before, now, strict=True):
        meter.update(then, current)
