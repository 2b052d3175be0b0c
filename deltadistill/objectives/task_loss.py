"""The task's own loss on labels, of key and later frames alike."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor, nn

from deltadistill.forward.clip_axes import all_frames
from deltadistill.objectives.objective import Objective
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.setting import Setting
from deltadistill.objectives.taps import Taps
from deltadistill.processes.group import ALONE, Group


class TaskLoss(Objective):
    """What the task says of the output and the labels; its extent is the task's."""

    def __init__(self, setting: Setting):
        super().__init__()
        self.task = setting.require_task("task_loss")

    @property
    def taps(self) -> Taps:
        """The network's output."""
        return Taps(output=True)

    def prepared(self, batch: Mapping[str, Any], network: nn.Module) -> Mapping[str, Any]:
        """The labels as the loss takes them, under "target", frames as in `all_frames`."""
        return {**batch, "target": self.task.targets(all_frames(batch["label"]), network=network)}

    def batch_extent(self, parts: Iterable[Observation], group: Group = ALONE) -> Any:
        """What the task's loss of a whole batch divides by; outputs are made only where they decide it."""
        looks = self.task.extent_needs_outputs
        pairs = ((all_frames(seen.output) if looks else None, seen.batch["target"]) for seen in parts)
        return self.task.extent(pairs, group)

    def loss(self, seen: Observation, of: Any) -> Tensor:
        """The task's loss."""
        return self.task.loss(all_frames(seen.output), seen.batch["target"], of, network=seen.network)
