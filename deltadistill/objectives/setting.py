"""What an objective is made for, and the making of one by its name."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.forward.modes import evaluation_mode
from deltadistill.forward.outputs import frame_outputs
from deltadistill.objectives.objective import Objective
from deltadistill.objectives.registry import OBJECTIVES
from deltadistill.objectives.taps import tapped
from deltadistill.objectives.teacher_pass import Run
from deltadistill.tasks.task import Task


@dataclass(frozen=True)
class Setting:
    """The training that an objective is for.

    network: the delta network. frames: some that it takes, (N, C, H, W). size: (height, width) of the frames
    that are trained on. task: None where there are no labels. run: how the network is run on frames.
    teacher: of a per-frame student; None: the delta network's own. pairs: of that student, modules whose maps
    have one size in both, its own and the teacher's names.
    """

    network: nn.Module
    frames: Tensor
    size: tuple[int, int]
    task: Task | None = None
    run: Run = frame_outputs
    teacher: nn.Module | None = None
    pairs: tuple[tuple[str, str], ...] = ()

    def maps(self, module: str) -> list[Tensor]:
        """What a module of the network returns for `frames`, to see how many channels there are."""
        return self._maps(self.network, module)

    def teacher_maps(self, module: str) -> list[Tensor]:
        """What a module of the teacher returns."""
        return self._maps(self.teacher or self.network, module)

    @torch.no_grad()
    def _maps(self, network: nn.Module, module: str) -> list[Tensor]:
        with evaluation_mode(network), tapped(network, [module]) as maps:
            self.run(network, self.frames)
        return maps[module]

    def require_task(self, objective: str) -> Task:
        """The task; ValueError where there is none."""
        if self.task is None:
            raise ValueError(f"objective {objective} needs labels, and this training has clips alone")
        return self.task


def make_objective(name: str, setting: Setting, options: Mapping[str, Any] | None = None) -> Objective:
    """Make the objective of a name, or of a path package.module:name, of the frames' device and type.

    Raises ValueError for an unknown name, for options that it does not take, and for what is no Objective.
    """
    maker, options = OBJECTIVES.find(name), dict(options or {})
    try:
        inspect.signature(maker).bind(setting, **options)
    except TypeError as error:
        raise ValueError(f"objective {name}: {error}; its options are {options or 'none'}") from None
    made = maker(setting, **options)
    if not isinstance(made, Objective):
        raise ValueError(
            f"objective {name} made a {type(made).__name__}; expected an Objective (objectives.objective)"
        )
    return made.to(setting.frames)
