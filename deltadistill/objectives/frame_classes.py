"""The class of every place of a map: the label's, or the one that the teacher's output is surest of."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from deltadistill.objectives.observation import Observation
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.taps import Taps
from deltadistill.tasks.segmentation import IGNORED

Told = Literal["labels", "teacher"]


class FrameClasses:
    """Where an objective takes classes from.

    told_by: "labels", "teacher", or None for labels where the training has a task.
    Raises ValueError for labels of another form than classes of frames or of pixels, and for an output that
    is not logits.
    """

    def __init__(self, setting: Setting, told_by: Told | None, *, objective: str):
        self.told_by = told_by or ("labels" if setting.task is not None else "teacher")
        if self.told_by not in ("labels", "teacher"):
            raise ValueError(
                f"objective {objective}: classes {told_by!r} is unknown; allowed: labels, teacher"
            )
        if self.told_by == "labels":
            form = setting.require_task(objective).form
            if form not in ("label_maps", "rankings"):
                raise ValueError(
                    f"objective {objective} takes the class of every place from labels, and this task's are "
                    f"{form}; leave it out, or take options: {{classes: teacher}} where the teacher returns "
                    "logits"
                )
        self.count = setting.classes(objective)

    @property
    def taps(self) -> Taps:
        """The teacher's output, where it tells the classes."""
        return Taps(teacher_output=self.told_by == "teacher")

    @torch.no_grad()
    def at(self, seen: Observation, size: tuple[int, ...]) -> Tensor:
        """Classes (N, h, w) int64 of the frames that the teacher answers, IGNORED where there is none."""
        if self.told_by == "teacher":
            told = seen.teacher_output.argmax(1)
        else:
            told = seen.taught_frames(seen.batch["label"])
        return classes_of_size(told, size)


def classes_of_size(told: Tensor, size: tuple[int, ...]) -> Tensor:
    """Classes (N, h, w) int64 of classes (N, H, W), by the nearest place, or of one class per frame (N,).

    NaN, negative ones and 255 become IGNORED.
    """
    told = told.float().nan_to_num(nan=IGNORED)
    told = told.where(told >= 0, IGNORED)
    whole = told[:, None, None, None] if told.dim() == 1 else told[:, None]
    return F.interpolate(whole, size, mode="nearest")[:, 0].long()
