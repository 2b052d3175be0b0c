"""What an objective is made for, and the making of one by its name."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.forward.modes import evaluation_mode
from deltadistill.forward.outputs import frame_outputs
from deltadistill.objectives.objective import Objective
from deltadistill.objectives.registry import OBJECTIVES
from deltadistill.objectives.taps import Maps, tapped
from deltadistill.objectives.teacher_pass import Run
from deltadistill.tasks.task import Task


@dataclass(frozen=True)
class Setting:
    """The training that an objective is for.

    network: the delta network. frames: some that it takes, (N, C, H, W). size: (height, width) of the frames
    that are trained on. task: None where there are no labels. run: how the network is run on frames.
    teacher: where it is another network than what the delta network's blocks replace. pairs: of such a
    student, modules whose maps have one size in both: its own name, the teacher's.
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
        return self.maps_of([module])[module]

    def maps_of(self, modules: Sequence[str]) -> Maps:
        """What each of several modules of the network returns for them, in one pass."""
        return self._maps(self.network, modules)

    def teacher_maps(self, module: str) -> list[Tensor]:
        """What a module of the teacher returns for them."""
        return self._maps(self.teacher or self.network, [module])[module]

    @torch.no_grad()
    def teacher_answer(self) -> Any:
        """The teacher's output for `frames`."""
        network = self.teacher or self.network
        with evaluation_mode(network):
            return self.run(network, self.frames)

    def classes(self, objective: str) -> int:
        """The number of classes that the teacher tells apart, by its output (N, classes, …).

        Raises ValueError for an output of another form, which `objective` cannot take.
        """
        output = self.teacher_answer()
        if not isinstance(output, Tensor) or output.dim() not in (2, 4):
            raise ValueError(
                f"objective {objective} is for logits (N, classes) or (N, classes, H, W), and "
                f"{type(self.teacher or self.network).__name__} returns {_described(output)}; leave it out"
            )
        return output.shape[1]

    @torch.no_grad()
    def _maps(self, network: nn.Module, modules: Sequence[str]) -> Maps:
        with evaluation_mode(network), tapped(network, modules) as maps:
            self.run(network, self.frames)
        return maps

    def require_task(self, objective: str) -> Task:
        """The task; ValueError where there is none."""
        if self.task is None:
            raise ValueError(f"objective {objective} needs labels, and this training has clips alone")
        return self.task


def _described(output: object) -> str:
    return f"a tensor {tuple(output.shape)}" if isinstance(output, Tensor) else f"a {type(output).__name__}"


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
