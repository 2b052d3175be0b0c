"""Non-linear students: a mirrored block with fewer channels, at lower resolution, or both (§3.1)."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from deltadistill.blocks.candidates import COMPRESSED, UNCOMPRESSED
from deltadistill.blocks.design import StudentDesign
from deltadistill.blocks.mirror import (
    NoMirrorError,
    input_channels,
    narrow_channels,
    narrow_mirror,
    output_shape,
)
from deltadistill.blocks.nonlinear_rule import NonlinearRule
from deltadistill.blocks.prediction import OfChange
from deltadistill.blocks.rule import Rule
from deltadistill.blocks.student_cost import PROBE, cost_ratio, macs_of, reason_against
from deltadistill.forward.modes import copy_with_modes, modes_kept


class NonlinearStudent(nn.Module):
    """h(x_key, x − x_key): a pointwise layer into the mirrored block, and one out of it.

    The first layer is linear, W_k x_key + W_r (x − x_key) = W_r x + (W_k − W_r) x_key, so that what it
    makes of the key frame (`key_part`) is computed once per key frame. The last layer starts at zero: an
    untrained student predicts no change.
    """

    def __init__(self, mirror: nn.Module, *, inputs: int, inner: tuple[int, int], outputs: int, stride: int):
        super().__init__()
        weight = next(mirror.parameters())
        like: dict[str, Any] = {"bias": False, "device": weight.device, "dtype": weight.dtype}
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


@dataclass(frozen=True)
class _Reduction(StudentDesign):
    """What the three designs share; each has as its settings what it reduces, and by how much."""

    kind: ClassVar[str]

    @property
    def gamma(self) -> int:
        """Reduction of the channels."""
        return 1

    @property
    def stride(self) -> int:
        """Reduction of the resolution."""
        return 1

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value < 2:
                raise ValueError(f"{name} {value} must be at least 2; 1 reduces nothing")

    def rule(self, predicts: str) -> Rule:
        """Make the rule of non-linear students; ValueError for features, which they do not predict."""
        if predicts != OfChange.name:
            raise ValueError("feature distillation is made for linear students; choose a LinearStudent")
        return NonlinearRule()

    def candidates(self, teacher: nn.Module) -> dict[str, nn.Module | None]:
        """Make the compressed candidate for a block; the uncompressed one is the teacher again."""
        return {UNCOMPRESSED: None, COMPRESSED: self.build(teacher)}

    def reason_against(self, module: nn.Module) -> str | None:
        """Say why `module` cannot or should not be converted; None where it can.

        A student should cost less than its teacher over a sequence of T = 3: two delta frames, and what
        it prepares on the key frame, against the teacher on two frames.
        """
        return reason_against(module, lambda blank: _cost_ratio(blank, self.build(blank)))

    def build(self, teacher: nn.Module) -> NonlinearStudent:
        """Make the compressed student of `teacher`, a module that maps one map to one map.

        Raises NoMirrorError where there is none.
        """
        inputs = input_channels(teacher)
        _, outputs, *size = output_shape(teacher, (2, inputs, PROBE, PROBE))
        mirror = narrow_mirror(teacher, self.gamma) if self.gamma > 1 else copy_with_modes(teacher)
        inner = (narrow_channels(inputs, self.gamma), narrow_channels(outputs, self.gamma))
        low = -(-PROBE // self.stride)
        _, channels, *low_size = output_shape(mirror, (2, inner[0], low, low))
        if channels != inner[1]:
            raise NoMirrorError(f"its mirror gives {channels} channels instead of {inner[1]}")
        if low_size != [-(-side // self.stride) for side in size]:
            raise NoMirrorError(
                f"its mirror's maps of {_by(low_size)}, times {self.stride}, do not fit the block's of "
                f"{_by(size)}; pad it so that it keeps the resolution or divides it, or use ChannelStudent"
            )
        return NonlinearStudent(mirror, inputs=inputs, inner=inner, outputs=outputs, stride=self.stride)


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


def _cost_ratio(teacher: nn.Module, student: NonlinearStudent) -> float:
    """MACs that a student adds per delta frame over the teacher's (see student_cost.py)."""
    student = student.eval()

    def costs(x: Tensor, z: Tensor) -> tuple[int, int]:
        key_part = student.key_part(x)
        delta = macs_of(lambda: student(x, key_part, z.shape[-2:]))
        return macs_of(lambda: student.key_part(x)) + delta, delta  # h(x_key, 0) costs what h(x_key, Δx) does

    return cost_ratio(teacher, costs)
