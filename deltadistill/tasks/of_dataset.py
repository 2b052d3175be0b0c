"""The task that a data set is annotated for: named by its description, or by the parameters."""

from collections.abc import Mapping
from typing import Any

from deltadistill.data.dataset_info import DatasetInfo
from deltadistill.tasks.registry import TASKS
from deltadistill.tasks.task import Task


def build(
    info: DatasetInfo,
    *,
    boxes: Mapping[str, Any],
    loss: Mapping[str, Any] | None = None,
    named: str | None = None,
) -> Task:
    """Make the task of a data set, by the sections of the parameters.

    boxes, loss: see tasks.task.TaskEntry.
    named: the task by the parameters, which may be one's own, package.module:name; None: what the data set's
        description says. As that may come from anywhere, it names a task of one's own only where the module
        is imported already; ValueError else.
    """
    entry = TASKS.find_loaded(info.task) if named is None else TASKS.find(named)
    return entry.of_dataset(info, boxes=boxes, loss=loss)
