"""What an objective would see, without a network: batches, maps and outputs by hand."""

from dataclasses import dataclass, field
from typing import Any

import torch

from deltadistill.forward.clip_axes import later_frames


@dataclass(eq=False)
class Seen:
    """As objectives.observation.Observation, of what it is given."""

    own: dict[str, list[torch.Tensor]] = field(default_factory=dict)
    taught: dict[str, list[torch.Tensor]] = field(default_factory=dict)
    batch: dict[str, Any] = field(default_factory=dict)
    teacher_output: Any = None
    own_output: Any = None
    clips: int = 1
    network: Any = None
    memo: dict = field(default_factory=dict)

    def maps(self, module):
        return self.own[module]

    def teacher_maps(self, module):
        return self.taught[module]

    def taught_frames(self, clips):
        return later_frames(clips)

    @property
    def output(self):
        return self.own_output
