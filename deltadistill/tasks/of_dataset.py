"""The task that a data set is annotated for."""

from collections.abc import Mapping
from typing import Any

from deltadistill.data.manifest import DatasetInfo
from deltadistill.tasks.detection import Detection
from deltadistill.tasks.segmentation import Segmentation
from deltadistill.tasks.suppression import Suppression
from deltadistill.tasks.task import Task


def build(info: DatasetInfo, *, boxes: Mapping[str, Any], loss: Mapping[str, Any] | None = None) -> Task:
    """Make the task that a data set is annotated for, by the sections of the parameters.

    boxes: what Suppression takes, and `shown_score`; of no meaning for label maps.
    loss: what Segmentation takes beside the classes; None where nothing is trained, of no meaning for boxes.
    """
    classes = len(info.classes)
    if info.task == "detection":
        rest = {name: value for name, value in boxes.items() if name != "shown_score"}
        return Detection(classes, Suppression(**rest), boxes["shown_score"])
    return Segmentation(classes, **(loss or {}))
