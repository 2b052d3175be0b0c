"""What objectives see of a part of a batch: the passes over it, run when they are first asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.delta_network import seat_of
from deltadistill.blocks.sessions import CallError, ClipSession
from deltadistill.blocks.straight_through import Choice
from deltadistill.forward.clip_axes import all_frames, clip_axes, later_frames
from deltadistill.forward.half_precision import in_single_precision
from deltadistill.forward.outputs import frame_outputs
from deltadistill.motion.warp import Warp
from deltadistill.objectives.relative_errors import target_energies
from deltadistill.objectives.taps import Maps, Taps, tapped
from deltadistill.objectives.teacher_pass import Probe, Run, probe_teacher, probed_energies
from deltadistill.training.precision import Precision

Choose = Callable[[DeltaBlock], Choice]


@dataclass(frozen=True, eq=False)
class Observation:
    """A part of a batch and what a delta network and its teacher make of it; what `taps` ask for.

    network: the delta network. batch: {"clip": (N, T, …)} and whatever else there is, such as "label".
    clip: its frames as the network takes them, (N, T, C, H, W). choose: makes what decides the blocks'
    candidates; None: their own choice. motion: of later frames since their key frame, (N, T − 1, 2, h, w),
    for rules that move what the key frame left; None: not known. only_extents: the pass is for extents, and
    carries no gradient.
    teacher: where it is another network (`per_frame_observation`); None: what the blocks replace.
    Frames later than the key frame lie time first: ((T − 1)·N, …).
    """

    network: nn.Module
    batch: Mapping[str, Any]
    clip: Tensor
    taps: Taps
    choose: Callable[[], Choose] | None = None
    motion: Tensor | None = None
    run: Run = frame_outputs
    precision: Precision = field(default_factory=Precision)
    only_extents: bool = False
    teacher: nn.Module | None = None
    memo: dict[object, Any] = field(default_factory=dict)  # what an objective's extent leaves for its loss

    @property
    def clips(self) -> int:
        """N."""
        return len(self.clip)

    def run_passes(self) -> None:
        """Run now what the taps ask for, where it has not run yet."""
        if self.taps.need_network:
            _ = self._student
        if self.taps.need_teacher:
            _ = self._teacher

    def taught_frames(self, clips: Any) -> Any:
        """The frames of tensors (N, T, …) in any tree that the teacher answers too, in the order of maps."""
        return later_frames(clips)

    @property
    def output(self) -> Any:
        """The delta network's output (N, T, …), with gradient."""
        return clip_axes(self.precision.outputs(self._student.output), *self.clip.shape[:2])

    @property
    def teacher_output(self) -> Any:
        """The teacher's output for the later frames."""
        return self.precision.outputs(self._teacher.probe.output)

    @property
    def errors(self) -> list[CallError]:
        """The error of every call of every block, with gradient."""
        return self._student.errors

    @property
    def energies(self) -> Tensor:
        """Energy of every call's target, in the order of `errors`."""
        if not self.only_extents:
            return target_energies(self.errors)
        with self.precision.passes():
            return probed_energies(self.network, self.clip, self.run, motion=self._warp)

    def maps(self, module: str) -> list[Tensor]:
        """What a tapped module of the delta network returned for the later frames, with gradient."""
        return [in_single_precision(made[self.clips :]) for made in self._student.maps[module]]

    def teacher_maps(self, module: str) -> list[Tensor]:
        """What the teacher's returned for them."""
        return [in_single_precision(made) for made in self._teacher.maps[module]]

    @cached_property
    def _warp(self) -> Warp | None:
        return None if self.motion is None else Warp(all_frames(self.motion))

    @cached_property
    def _teacher(self) -> "_TeacherPass":
        with self.precision.passes(), tapped(self.network, self.taps.of_teacher) as maps:
            probe = probe_teacher(self.network, later_frames(self.clip), self.run)
        return _TeacherPass(probe, maps)

    @cached_property
    def _student(self) -> "_StudentPass":
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.only_extents):
            choose = self.choose() if self.choose else None
            targets = self._teacher.probe.targets if self.taps.blocks else None
            session = ClipSession(self.clip.shape[1], choose=choose, targets=targets)
            with self.precision.passes(), tapped(self.network, self.taps.of_network) as maps:
                output = self._forward(session)
            return _StudentPass(output, list(session.errors.values()), maps)

    def _forward(self, session: ClipSession) -> Any:
        """Run all frames at once, time first; what comes back may be anything where no objective looks."""
        seat = seat_of(self.network)
        session.begin(clips=self.clips, motion=self._warp)
        with seat.taken_by(session):
            output = self.run(self.network, all_frames(self.clip))
        squared = [error.squared for error in session.errors.values()]
        seat.refuse_recomputation(leaf for leaf in (*tree_leaves(output), *squared) if _is_tensor(leaf))
        return output


@dataclass(frozen=True)
class _TeacherPass:
    probe: Probe
    maps: Maps


@dataclass(frozen=True)
class _StudentPass:
    output: Any
    errors: list[CallError]
    maps: Maps


def _is_tensor(leaf: object) -> bool:
    return isinstance(leaf, Tensor)
