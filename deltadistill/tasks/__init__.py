"""Tasks: batch to loss, output to prediction, prediction to metric."""

from collections.abc import Mapping
from typing import Any

from deltadistill.data.manifest import DatasetInfo
from deltadistill.tasks.segmentation import Segmentation
from deltadistill.tasks.task import Metric, Predictions, Reference, Scores, Task, on_processor

__all__ = ["Metric", "Predictions", "Reference", "Scores", "Segmentation", "Task", "build", "on_processor"]


def build(info: DatasetInfo, *, loss: Mapping[str, Any] | None = None) -> Task:
    """Make the task that a data set is annotated for.

    loss: what Segmentation takes beside the classes; None where nothing is trained.
    """
    return Segmentation(len(info.classes), **(loss or {}))
