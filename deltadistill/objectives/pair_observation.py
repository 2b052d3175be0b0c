"""What objectives see of single frames: what a per-frame student makes of them, and its teacher beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from deltadistill.forward.clip_axes import all_frames, clip_axes
from deltadistill.forward.half_precision import in_single_precision
from deltadistill.forward.outputs import frame_outputs
from deltadistill.objectives.taps import Maps, Taps, tapped
from deltadistill.objectives.teacher_pass import Run
from deltadistill.training.precision import Precision


@dataclass(frozen=True, eq=False)
class PairObservation:
    """An observation (see objectives.observation) of two networks: the teacher sees every frame too.

    network: the student, in its present mode. teacher: in evaluation mode. Of `taps`, `modules` are named in
    the student and `taught_by` in the teacher; there are no blocks.
    """

    network: nn.Module
    teacher: nn.Module
    batch: Mapping[str, Any]
    clip: Tensor
    taps: Taps
    run: Run = frame_outputs
    precision: Precision = field(default_factory=Precision)
    only_extents: bool = False
    memo: dict[object, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.taps.blocks:
            raise ValueError(
                "an objective asks for the errors of blocks, and a per-frame student has none; leave out "
                "block_errors and what is like it"
            )

    @property
    def clips(self) -> int:
        """N."""
        return len(self.clip)

    def run_passes(self) -> None:
        """Run now what the taps ask for, where it has not run yet."""
        if self.taps.modules or self.taps.output:
            _ = self._student
        if self.taps.need_teacher:
            _ = self._taught

    @property
    def output(self) -> Any:
        """The student's output (N, T, …), with gradient."""
        return clip_axes(self.precision.outputs(self._student[0]), *self.clip.shape[:2])

    @property
    def teacher_output(self) -> Any:
        """The teacher's output for all frames, time first."""
        return self.precision.outputs(self._taught[0])

    def compared(self, frames: Any) -> Any:
        """Tensors for all frames are those of the frames that the teacher sees."""
        return frames

    def maps(self, module: str) -> list[Tensor]:
        """What a tapped module of the student returned for all frames, with gradient."""
        return [in_single_precision(made) for made in self._student[1][module]]

    def teacher_maps(self, module: str) -> list[Tensor]:
        """What one of the teacher returned."""
        return [in_single_precision(made) for made in self._taught[1][module]]

    @cached_property
    def _student(self) -> tuple[Any, Maps]:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.only_extents):
            return self._pass(self.network, self.taps.modules)

    @cached_property
    def _taught(self) -> tuple[Any, Maps]:
        with torch.no_grad():
            return self._pass(self.teacher, self.taps.taught_by)

    def _pass(self, network: nn.Module, modules: tuple[str, ...]) -> tuple[Any, Maps]:
        with self.precision.passes(), tapped(network, modules) as maps:
            output = self.run(network, all_frames(self.clip))
        return output, maps
