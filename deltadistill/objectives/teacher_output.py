"""Imitation of the teacher's own output on the later frames: a task loss without labels."""

from torch import Tensor

from deltadistill.objectives.objective import Objective
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.taps import Taps


class TeacherOutput(Objective):
    """How far the output is from the teacher's, as the task measures it; a mean over clips."""

    def __init__(self, setting: Setting):
        super().__init__()
        self.task = setting.require_task("teacher_output")

    @property
    def taps(self) -> Taps:
        """Both outputs."""
        return Taps(output=True, teacher_output=True)

    def loss(self, seen: Observation, of: Tensor) -> Tensor:
        """The mean over the later frames, by the part's share of the clips."""
        output, taught = seen.taught_frames(seen.output), seen.teacher_output
        share = seen.clips / float(of)
        return share * self.task.imitation_loss(output, taught, network=seen.network, teacher=seen.teacher)
