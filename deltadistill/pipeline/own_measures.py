"""The measure of a task of one's own, made known to who reads results: their files name it by its key."""

from pathlib import Path

from deltadistill.data.manifest import Manifest
from deltadistill.metrics.measures import make_known
from deltadistill.pipeline.params import Params
from deltadistill.tasks import of_dataset as tasks
from deltadistill.tasks.registry import TASKS


def make_measure_known(data: Path, params: Params) -> None:
    """Let this process read and write scores of the task that parameters or the data set in `data` name.

    Raises ValueError for a task of one's own that only the data set names, as that may come from anywhere.
    """
    info = Manifest.read(data / "manifest.csv").info
    if (params.task or info.task) not in TASKS:
        task = tasks.build(info, boxes=params.boxes.model_dump(), named=params.task)
        make_known(task.measure)
