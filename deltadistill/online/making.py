"""Makes what an online stream consists of, by its settings: who learns, and what says when."""

from typing import Any

from torch import nn

from deltadistill.blocks.delta_network import delta_blocks
from deltadistill.online.extras import require_of_a_delta_network
from deltadistill.online.settings import Settings
from deltadistill.online.stride import Strides, Supervision
from deltadistill.online.students import DeltaStudent, NetworkStudent
from deltadistill.online.uncertainty import WhereUnsure
from deltadistill.tasks.task import Task


def supervision_of(settings: Settings, task: Task) -> Supervision:
    """What says which frames are labelled; ValueError where answers of the task cannot be unsure."""
    strides = Strides(settings.shortest, settings.longest)
    if settings.unsure is None:
        return Supervision(strides)
    if task.form != "label_maps":
        raise ValueError("unsure: how sure an answer is is known of label maps alone; leave it out")
    return WhereUnsure(strides, settings.unsure)


def student_of(network: nn.Module, teacher: nn.Module | None, settings: Settings) -> NetworkStudent:
    """A student that learns as the settings say; ValueError for what does not fit together."""
    rates = {"learning_rate": settings.learning_rate, "momentum": settings.momentum}
    if teacher is not None:
        if delta_blocks(network):
            raise ValueError(
                "a delta network is labelled by its own teacher, relative to which its students answer"
            )
        learning: dict[str, Any] = {"part": settings.part, "share": settings.share, **rates}
        return NetworkStudent(network, batch_norm=settings.batch_norm or "running", **learning)
    if not delta_blocks(network):
        raise ValueError("a student that is no delta network has no teacher of its own; give one: teacher=…")
    if settings.batch_norm not in (None, "frozen"):
        raise ValueError(
            f"batch_norm {settings.batch_norm!r}: a delta network's batch norm is its teacher's, which stays "
            "as it is; leave it out"
        )
    require_of_a_delta_network(settings)
    return DeltaStudent(network, share=settings.share, **rates)
