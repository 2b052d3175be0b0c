"""Skip-Convolutions: a convolution of what has changed enough since it was last computed (Habibian, 2021)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deltadistill.blocks.design import Student, StudentDesign
from deltadistill.blocks.kinds import reason_against_kind
from deltadistill.blocks.rule import Parts, Rule, State
from deltadistill.blocks.skip_gate import LearnedGate, NormGate, SkipGate


class SkipRule(Rule):
    """z ← z + W ⋆ (m ⊙ r), r = x − reference, without bias; what the gate m lets through joins the reference.

    What is dropped stays in r, and z is the convolution of the reference, bias and all, at any time. State:
    reference, output, the gate's level of each stream, and (N,) output positions that the last frame has
    computed, 0 after a key frame; with gradients where the gate has them.
    The paper's gate masks outputs; this one masks inputs, and an output is computed where its window has an
    open one, so that no two outputs have different references.
    """

    def __init__(self, gate: SkipGate):
        self.gate = gate

    def state_of(self, parts: Parts, x: Tensor, z: Tensor) -> State:
        """Input and output of a frame computed in full."""
        return x.clone(), z.clone(), self.gate.level(x), x.new_zeros(len(x))

    def delta(self, parts: Parts, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Output for a later frame, and the state for the next one."""
        layer = cast(nn.Conv2d, parts.teacher)
        reference, z, level, _ = state
        residual = x - reference
        gate = self.gate.opens(residual, level, layer)
        kept = residual * gate
        computed = _reached(gate, layer)
        z = z + _convolved(kept, computed.detach(), layer)
        return z.clone(), (reference + kept, z, level, computed.flatten(1).sum(1))


def skip_macs(layer: nn.Module, rule: SkipRule, state: State) -> float:
    """MACs of the last frame of a stream, mean over streams: of the computed positions, and of the gate."""
    layer = cast(nn.Conv2d, layer)
    reference, z, _, positions = state
    gate = rule.gate.macs(layer, reference[0].numel(), z[0, 0].numel())
    return positions.mean().item() * position_macs(layer) + gate


def position_macs(layer: nn.Module) -> int:
    """MACs of one output position of a convolution."""
    return cast(nn.Conv2d, layer).weight.numel()


def _reached(gate: Tensor, layer: nn.Conv2d) -> Tensor:
    """1 at output positions whose window has an open input, (N, 1, h, w), with the gate's gradient."""
    return F.max_pool2d(F.pad(gate, _padding(layer)), layer.kernel_size, layer.stride, 0, layer.dilation)


def _convolved(kept: Tensor, computed: Tensor, layer: nn.Conv2d) -> Tensor:
    """The convolution without bias where `computed` is 1; 0 where it is 0."""
    dense = layer.groups > 1 or kept.is_meta or kept.requires_grad
    if dense or computed.mean() > _DENSE:
        full = F.conv2d(kept, layer.weight, None, layer.stride, layer.padding, layer.dilation, layer.groups)
        return full * computed
    streams, rows, columns = computed[:, 0].nonzero(as_tuple=True)
    values = _windows(kept, computed.shape[-2:], layer)[streams, rows, columns].flatten(1)
    made = kept.new_zeros(len(kept), *computed.shape[-2:], layer.out_channels)
    made[streams, rows, columns] = values @ layer.weight.flatten(1).T
    return made.permute(0, 3, 1, 2)


_DENSE = 0.4  # of the positions; above, the whole convolution takes less time than to gather windows


def _windows(x: Tensor, size: torch.Size, layer: nn.Conv2d) -> Tensor:
    """What each output position reads, as a view (N, h, w, C, kernel's height, width) of the padded map."""
    padded = F.pad(x, _padding(layer)).contiguous()
    batch, channels, row, column = padded.stride()
    (down, right), (apart, beside) = layer.stride, layer.dilation
    strides = (batch, row * down, column * right, channels, row * apart, column * beside)
    return padded.as_strided((len(x), *size, x.shape[1], *layer.kernel_size), strides)


def _padding(layer: nn.Conv2d) -> list[int]:
    """Left, right, top, bottom."""
    return list(layer._reversed_padding_repeated_twice)


@dataclass(frozen=True)
class SkipConvolution(StudentDesign):
    """Convolutions that skip what has hardly changed; nothing is trained.

    threshold: of the norm gate, relative to the key frame's mean magnitude; 0 skips what has not changed.
    """

    threshold: float

    def __post_init__(self) -> None:
        NormGate(self.threshold)  # refuses what cannot be meant

    def reason_against(self, module: nn.Module) -> str | None:
        """Plain convolutions only: of another kind the kernel is not all that it does."""
        return _reason_against(module)

    def rule(self, predicts: str) -> SkipRule:
        """Make the rule; there is nothing to predict, so that `predicts` decides nothing."""
        return SkipRule(NormGate(self.threshold))


@dataclass(frozen=True)
class LearnedSkipConvolution(StudentDesign):
    """The same with a learned gate for each layer, by its name; layers without one run in full."""

    gates: Mapping[str, LearnedGate]

    def of_block(self, name: str) -> Student:
        """The design of one layer."""
        return _WithGate(self.gates.get(name))

    def rule(self, predicts: str) -> SkipRule:
        """Only layers have a rule; it is asked for here to see what a design predicts."""
        return SkipRule(NormGate(0))


@dataclass(frozen=True)
class _WithGate(StudentDesign):
    gate: LearnedGate | None

    def reason_against(self, module: nn.Module) -> str | None:
        if self.gate is None:
            return "no gate has been learned for it"
        return _reason_against(module) or _reason_against_gate(self.gate, cast(nn.Conv2d, module))

    def rule(self, predicts: str) -> SkipRule:
        assert self.gate is not None  # else there is a reason against the layer
        return SkipRule(self.gate)


def _reason_against(module: nn.Module) -> str | None:
    if type(module) is not nn.Conv2d:
        return reason_against_kind(module) or "not a plain convolution"
    if module.padding_mode != "zeros":
        return f"padding_mode {module.padding_mode!r}, where skipped places have no zeros beside them"
    return None


def _reason_against_gate(gate: LearnedGate, layer: nn.Conv2d) -> str | None:
    if gate.see.in_channels == layer.in_channels:
        return None
    return f"its gate has learned from {gate.see.in_channels} channels, and it reads {layer.in_channels}"
