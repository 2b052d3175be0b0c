"""Non-linear students: a mirrored block with fewer channels, at lower resolution, or both (§3.1)."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from deltadistill.blocks.candidates import UNCOMPRESSED
from deltadistill.blocks.delta import DeltaBlock, State, for_each_later_frame
from deltadistill.blocks.mirror import (
    NoMirrorError,
    input_channels,
    narrow_channels,
    narrow_mirror,
    output_shape,
)
from deltadistill.blocks.straight_through import Choice, drawn_output
from deltadistill.forward.modes import copy_with_modes, modes_kept

_PROBE = 64  # pixels; only ratios and divisibility are read off a map of this size
_FEWEST_DELTA_FRAMES = 2  # per key frame: of the shortest sequence that is of use, T = 3


class NonlinearStudent(nn.Module):
    """h(x_key, x − x_key): a pointwise layer into the mirrored block, and one out of it.

    The first layer is linear, W_k x_key + W_r (x − x_key) = W_r x + (W_k − W_r) x_key, so that what it
    makes of the key frame (`key_part`) is computed once per key frame. The last layer starts at zero: an
    untrained student predicts no change.
    """

    def __init__(self, mirror: nn.Module, *, inputs: int, inner: tuple[int, int], outputs: int, stride: int):
        super().__init__()
        weight = next(mirror.parameters())
        like = {"bias": False, "device": weight.device, "dtype": weight.dtype}
        self.of_key = nn.Conv2d(inputs, inner[0], 1, stride=stride, **like)
        self.of_residual = nn.Conv2d(inputs, inner[0], 1, stride=stride, **like)
        self.mirror = mirror
        self.out = nn.Conv2d(inner[1], outputs * stride**2, 1, **like)
        self.shuffle = nn.PixelShuffle(stride)
        nn.init.zeros_(self.out.weight)
        with modes_kept(mirror):
            self.train(mirror.training)
        self.requires_grad_(True)  # the mirror of a frozen teacher learns too

    def key_part(self, x_key: Tensor) -> Tensor:
        """Return what the first layer makes of the key frame's input: (W_k − W_r) x_key."""
        return self.of_key(x_key) - self.of_residual(x_key)

    def forward(self, x: Tensor, key_part: Tensor, size: torch.Size) -> Tensor:
        """Return h for inputs x (N, C, H, W), as maps of the teacher's output size (h, w)."""
        features = self.shuffle(self.out(self.mirror(self.of_residual(x) + key_part)))
        return features[..., : size[0], : size[1]]


class TeacherAgain(nn.Module):
    """Stands for the uncompressed candidate: the teacher itself on the present frame, exact and stateless."""


class NonlinearBlock(DeltaBlock):
    """A block or sequence of blocks with a non-linear student: Δz = h(x_key, x − x_key) − h(x_key, 0).

    The paper's Δz is h alone. Without the second term a static clip would drift from its key frame; it
    depends on the key frame only and goes into the state.
    """

    def state_of(self, x: Tensor, z: Tensor) -> State:
        """The student's key part, and z − h(x, 0); nothing for the uncompressed candidate."""
        if self.choice == UNCOMPRESSED:
            return ()
        key_part = self.compressed.key_part(x)
        return key_part, z - self.compressed(x, key_part, z.shape[-2:])

    def delta(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Output for a later frame."""
        if self.choice == UNCOMPRESSED:
            return self.teacher(x), state
        key_part, base = state
        return base + self.compressed(x, key_part, base.shape[-2:]), state

    def predict(self, x: Tensor, x_key: Tensor, z_key: Tensor, choice: Choice) -> Tensor:
        """What the candidate predicts, Δz, for M later frames (see DeltaBlock.predict)."""

        def run(candidate: str) -> Tensor:
            if candidate == UNCOMPRESSED:
                return self.teacher(x) - for_each_later_frame(z_key, x)
            return self._change(x, x_key, z_key.shape[-2:])

        return drawn_output(run, choice)

    def predict_steps(self, x: Tensor, z_key: Tensor, choice: Choice) -> Tensor:
        """What the candidate predicts from each frame to the next (see DeltaBlock.predict_steps)."""
        rows = z_key.shape[0]

        def run(candidate: str) -> Tensor:
            if candidate == UNCOMPRESSED:
                z = self.teacher(x[rows:])
                return z - torch.cat([z_key, z[:-rows]])
            return self._change(x[rows:], x[:-rows], z_key.shape[-2:])

        return drawn_output(run, choice)

    def _change(self, x: Tensor, x_key: Tensor, size: torch.Size) -> Tensor:
        key_part = self.compressed.key_part(x_key)
        at_rest = self.compressed(x_key, key_part, size)
        moved = self.compressed(x, for_each_later_frame(key_part, x), size)
        return moved - for_each_later_frame(at_rest, x)


@dataclass(frozen=True)
class _Reduction:
    """What the three designs share; each has as its settings what it reduces, and by how much."""

    kind: ClassVar[str]
    gamma: ClassVar[int] = 1  # of the channels
    stride: ClassVar[int] = 1  # of the resolution

    def __post_init__(self):
        for name, value in asdict(self).items():
            if value < 2:
                raise ValueError(f"{name} {value} must be at least 2; 1 reduces nothing")

    def as_dict(self) -> dict[str, Any]:
        """Return the design's kind and settings as plain values, for an architecture file."""
        return {"kind": self.kind, **asdict(self)}

    def reason_against(self, module: nn.Module) -> str | None:
        """Say why `module` cannot or should not be converted; None where it can.

        A student should cost less than its teacher over a sequence of T = 3: two delta frames, and what
        it prepares on the key frame, against the teacher on two frames.
        """
        if not list(module.parameters()):
            return f"{type(module).__name__} has no parameters"
        try:
            student = self.build(copy_with_modes(module).to("meta"))
            ratio = _cost_ratio(module, student)
        except NoMirrorError as error:
            return str(error)
        if ratio >= 1:
            return f"student dearer than its teacher ({ratio:.2f} times the MACs over T = 3)"
        return None

    def build(self, teacher: nn.Module) -> NonlinearStudent:
        """Make the compressed student of `teacher`, a module that maps one map to one map.

        Raises NoMirrorError where there is none.
        """
        inputs = input_channels(teacher)
        _, outputs, *size = output_shape(teacher, (2, inputs, _PROBE, _PROBE))
        mirror = narrow_mirror(teacher, self.gamma) if self.gamma > 1 else copy_with_modes(teacher)
        inner = (narrow_channels(inputs, self.gamma), narrow_channels(outputs, self.gamma))
        low = -(-_PROBE // self.stride)
        _, channels, *low_size = output_shape(mirror, (2, inner[0], low, low))
        if channels != inner[1]:
            raise NoMirrorError(f"its mirror gives {channels} channels instead of {inner[1]}")
        if low_size != [-(-side // self.stride) for side in size]:
            raise NoMirrorError(
                f"its mirror's maps of {_by(low_size)}, times {self.stride}, do not fit the block's of "
                f"{_by(size)}; pad it so that it keeps the resolution or divides it, or use ChannelStudent"
            )
        return NonlinearStudent(mirror, inputs=inputs, inner=inner, outputs=outputs, stride=self.stride)

    def build_uncompressed(self, teacher: nn.Module) -> TeacherAgain:
        """Make the uncompressed candidate: the teacher again."""
        return TeacherAgain().train(teacher.training)


@dataclass(frozen=True)
class ChannelStudent(_Reduction):
    """Pointwise in and out around the mirrored block with gamma times fewer channels."""

    gamma: int = 4
    kind: ClassVar[str] = "channel"


@dataclass(frozen=True)
class SpatialStudent(_Reduction):
    """Strided pointwise in, a copy of the teacher at low resolution, pixel shuffle out."""

    stride: int = 2
    kind: ClassVar[str] = "spatial"


@dataclass(frozen=True)
class ChannelSpatialStudent(_Reduction):
    """Both reductions: gamma times fewer channels at a resolution `stride` times lower."""

    gamma: int = 2
    stride: int = 2
    kind: ClassVar[str] = "channel_spatial"


def _by(size: list[int]) -> str:
    return "×".join(map(str, size))


@torch.no_grad()
def _cost_ratio(teacher: nn.Module, student: NonlinearStudent) -> float:
    """MACs that a student adds per delta frame over the teacher's, on a small map without storage.

    With it goes what it adds to a key frame, spread over the delta frames of the shortest useful sequence.
    """
    teacher = copy_with_modes(teacher).to("meta").eval()
    dtype = next(teacher.parameters()).dtype
    x = torch.empty(1, input_channels(teacher), _PROBE, _PROBE, device="meta", dtype=dtype)
    size, student = teacher(x).shape[-2:], student.eval()
    key_part = student.key_part(x)
    delta = _macs(lambda: student(x, key_part, size))
    key = _macs(lambda: student.key_part(x)) + delta  # h(x_key, 0) costs what h(x_key, Δx) does
    return (delta + key / _FEWEST_DELTA_FRAMES) / _macs(lambda: teacher(x))


def _macs(run: Callable[[], Any]) -> int:
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() // 2
