"""Students at lower resolution, corrected by a gate as in residual encoded distillation (ReDistill)."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deltadistill.blocks.candidates import COMPRESSED, UNCOMPRESSED
from deltadistill.blocks.design import StudentDesign
from deltadistill.blocks.mirror import NoMirrorError, input_channels, output_shape
from deltadistill.blocks.prediction import OfChange
from deltadistill.blocks.reduced_rule import ReducedRule
from deltadistill.blocks.rule import Rule
from deltadistill.blocks.student_cost import PROBE, cost_ratio, macs_of, reason_against
from deltadistill.forward.modes import copy_with_modes, modes_kept


class ReducedStudent(nn.Module):
    """The block's copy on averaged inputs, a gate for the key frame's detail, and an encoding of the change.

    A RED block makes x·σ(BN(1×1 x)) + ReLU6(BN(3×3 x)) of a map x (models/red_block.py). Here what the gate
    multiplies is the key frame's detail, and gate and encoding read the change d of the coarse map: the gate
    is 2σ(G [d⁺, d⁻]), with d⁺ and d⁻ the positive and the negative part, the encoding E d. Neither has a
    bias, a shift or a bound, so that without a change the gate is 1 and the encoding 0. Both start at zero:
    an untrained student adds the detail as it is, and says what the copy says of the change.
    gated: False leaves the gate out: the detail is added as it is.
    """

    def __init__(self, block: nn.Module, *, outputs: int, factor: int, gated: bool = True):
        super().__init__()
        weight = next(block.parameters())
        like: dict[str, Any] = {"bias": False, "device": weight.device, "dtype": weight.dtype}
        self.block, self.factor = block, factor
        self.gate = nn.Conv2d(2 * outputs, outputs, 1, **like) if gated else None
        self.encoding = nn.Conv2d(outputs, outputs, 3, padding=1, **like)
        for layer in (self.gate, self.encoding):
            if layer is not None:
                nn.init.zeros_(layer.weight)
        with modes_kept(block):
            self.train(block.training)
        self.requires_grad_(True)  # the copy of a frozen teacher learns too

    def coarse(self, x: Tensor) -> Tensor:
        """Map inputs (N, C, H, W) to the copy's output for means of factor × factor, (N, outputs, h, w)."""
        return self.block(F.avg_pool2d(x, self.factor, ceil_mode=True, count_include_pad=False))

    def up(self, coarse: Tensor, size: torch.Size) -> Tensor:
        """Bring (N, outputs, h, w) to `size`, (H, W): bilinear, corners not aligned."""
        return F.interpolate(coarse, size=size, mode="bilinear", align_corners=False)

    def forward(self, coarse: Tensor, coarse_key: Tensor, detail: Tensor) -> Tensor:
        """What is added to the key frame's detail c_0: up(l_t + E d) + c_0 ⊙ (gate − 1).

        coarse, coarse_key: l_t and l_0, (N, outputs, h, w). detail: c_0, (N, outputs, H, W).
        """
        size, change = detail.shape[-2:], coarse - coarse_key
        added = self.up(coarse + self.encoding(change), size)
        return (
            added if self.gate is None else added + detail * self.up(self._opening(self.gate, change), size)
        )

    def _opening(self, gate: nn.Module, change: Tensor) -> Tensor:
        """2σ(v) − 1 = tanh(½ v), at the coarse map's size: bounded before it is brought up, and so after."""
        return torch.tanh(0.5 * gate(torch.cat([change.relu(), (-change).relu()], 1)))


@dataclass(frozen=True)
class ReducedResolution(StudentDesign):
    """A block's copy at a resolution `factor` times lower, corrected by the gated detail of the key frame.

    gated: False adds the detail as it is (to compare with).

    What is kept has the size of the block's output and of its coarse one: with blocks as large as the whole
    network before its output is brought to the frame's size (`whole_network`), both are small, and what a
    later frame needs in memory falls as the square of the factor.
    """

    factor: int = 2
    gated: bool = True

    def __post_init__(self) -> None:
        if self.factor < 2:
            raise ValueError(f"factor {self.factor} must be at least 2; 1 reduces nothing")

    def rule(self, predicts: str) -> Rule:
        """Make the rule; ValueError for features, which it does not predict."""
        if predicts != OfChange.name:
            raise ValueError(
                "students at lower resolution predict changes; choose a LinearStudent for features"
            )
        return ReducedRule()

    def candidates(self, teacher: nn.Module) -> dict[str, nn.Module | None]:
        """Make the compressed candidate for a block; the uncompressed one is the teacher again."""
        return {UNCOMPRESSED: None, COMPRESSED: self.build(teacher)}

    def reason_against(self, module: nn.Module) -> str | None:
        """Say why `module` cannot or should not be converted; None where it can.

        A student should cost less than its teacher over a sequence of T = 3: two delta frames, and what
        it prepares on the key frame, against the teacher on two frames.
        """
        return reason_against(module, lambda blank: _cost_ratio(blank, self.build(blank)))

    def build(self, teacher: nn.Module) -> ReducedStudent:
        """Make the student of `teacher`, a module that maps one map to one at any resolution.

        Raises NoMirrorError where it does not, on a map and on its averages.
        """
        inputs = input_channels(teacher)
        sides = (PROBE, -(-PROBE // self.factor))
        full, low = (output_shape(teacher, (2, inputs, side, side)) for side in sides)
        if full[1] != low[1] or 0 in low:
            raise NoMirrorError(f"at {sides[1]} pixels its map is {low[1:]}; expected {full[1]} channels")
        outputs = full[1]
        return ReducedStudent(copy_with_modes(teacher), outputs=outputs, factor=self.factor, gated=self.gated)


def _cost_ratio(teacher: nn.Module, student: ReducedStudent) -> float:
    """MACs that a student adds per delta frame over the teacher's (see student_cost.py)."""
    student = student.eval()

    def costs(x: Tensor, z: Tensor) -> tuple[int, int]:
        coarse = student.coarse(x)
        key = macs_of(lambda: student.coarse(x))
        return key, key + macs_of(lambda: student(coarse, coarse, z))

    return cost_ratio(teacher, costs)
