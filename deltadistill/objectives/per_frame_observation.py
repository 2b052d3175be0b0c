"""What objectives see of a part of a batch where student and teacher are two networks on single frames."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.forward.clip_axes import all_frames, clip_axes
from deltadistill.forward.half_precision import in_single_precision
from deltadistill.objectives.observation import Observation
from deltadistill.objectives.taps import Maps, tapped


@dataclass(frozen=True, eq=False)
class PerFrameObservation(Observation):
    """As Observation, of a network without blocks: every frame counts as a later one.

    The teacher runs as it is; it should be in evaluation mode.
    """

    def taught_frames(self, clips: Any) -> Any:
        """All frames."""
        return all_frames(clips)

    def run_passes(self) -> None:
        """Run now what the taps ask for, where it has not run yet."""
        if self.taps.need_network:
            _ = self._own
        if self.taps.need_teacher:
            _ = self._taught

    @property
    def output(self) -> Any:
        """The network's output (N, T, …), with gradient."""
        return clip_axes(self.precision.outputs(self._own[0]), *self.clip.shape[:2])

    @property
    def teacher_output(self) -> Any:
        """The teacher's output for all frames."""
        return self.precision.outputs(self._taught[0])

    def maps(self, module: str) -> list[Tensor]:
        """What a tapped module of the network returned, with gradient."""
        return [in_single_precision(made) for made in self._own[1][module]]

    def teacher_maps(self, module: str) -> list[Tensor]:
        """What the teacher's returned."""
        return [in_single_precision(made) for made in self._taught[1][module]]

    @cached_property
    def _own(self) -> tuple[Any, Maps]:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.only_extents):
            return self._pass(self.network, self.taps.of_network)

    @cached_property
    def _taught(self) -> tuple[Any, Maps]:
        assert self.teacher is not None  # a student per frame has a network to learn from
        with torch.no_grad():
            return self._pass(self.teacher, self.taps.of_teacher)

    def _pass(self, network: nn.Module, modules: tuple[str, ...]) -> tuple[Any, Maps]:
        with self.precision.passes(), tapped(network, modules) as maps:
            return self.run(network, all_frames(self.clip)), maps
