"""Skip-Convolutions: a convolution of what has changed enough since it was last computed (Habibian, 2021)."""

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deltadistill.blocks.design import StudentDesign
from deltadistill.blocks.kinds import reason_against_kind
from deltadistill.blocks.rule import Parts, Rule, State


class SkipRule(Rule):
    """z ← z + W ⋆ (m ⊙ r), r = x − reference, without bias; what the gate m lets through joins the reference.

    m is 1 where the mean |r| over channels, averaged over the kernel's window, exceeds `threshold` times the
    mean |x| of the key frame. What is dropped stays in r, and z is the convolution of the reference, bias and
    all, at any time. State: reference, output, threshold of each stream, and (N,) output positions that the
    last frame has computed, 0 after a key frame.
    The paper's gate masks outputs; this one masks inputs, and an output is computed where its window has an
    open one, so that no two outputs have different references.
    """

    def __init__(self, threshold: float):
        self.threshold = threshold

    def state_of(self, parts: Parts, x: Tensor, z: Tensor) -> State:
        """Input and output of a frame computed in full."""
        level = self.threshold * x.abs().mean((1, 2, 3), keepdim=True)
        return x.clone(), z.clone(), level, x.new_zeros(len(x))

    def delta(self, parts: Parts, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Output for a later frame, and the state for the next one."""
        layer = cast(nn.Conv2d, parts.teacher)
        reference, z, level, _ = state
        residual = x - reference
        gate = _pooled(residual.abs().mean(1, keepdim=True), layer) > level
        kept = residual * gate
        computed = _reached(gate.to(x.dtype), layer)
        z = z + _convolved(kept, computed, layer)
        positions = computed.flatten(1).sum(1).to(x.dtype)
        return z.clone(), (reference + kept, z, level, positions)


def skip_macs(layer: nn.Module, state: State) -> float:
    """MACs of the last frame of a stream, mean over streams: of the computed positions, and of the gate.

    The gate counts 1 for each input value that its norm adds up, and the kernel's size for each output
    position that is looked at.
    """
    layer = cast(nn.Conv2d, layer)
    reference, z, _, positions = state
    kernel = layer.weight[0, 0].numel()
    each = layer.weight[0].numel() * layer.out_channels
    return positions.mean().item() * each + reference[0].numel() + kernel * z[0, 0].numel()


def _pooled(norm: Tensor, layer: nn.Conv2d) -> Tensor:
    """The mean over the kernel's window around each input position, same size."""
    height, width = (size // 2 for size in layer.kernel_size)
    size = (2 * height + 1, 2 * width + 1)
    return F.avg_pool2d(norm, size, stride=1, padding=(height, width), count_include_pad=False)


def _reached(gate: Tensor, layer: nn.Conv2d) -> Tensor:
    """Output positions whose window has an open input, bool (N, 1, h, w)."""
    ones = gate.new_ones(1, 1, *layer.kernel_size)
    return F.conv2d(gate, ones, None, layer.stride, layer.padding, layer.dilation) > 0


def _convolved(kept: Tensor, computed: Tensor, layer: nn.Conv2d) -> Tensor:
    """The convolution without bias, at the computed positions alone; 0 elsewhere."""
    if layer.groups > 1 or kept.is_meta or computed.float().mean() > _DENSE:
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
        if self.threshold < 0:
            raise ValueError(f"threshold {self.threshold} of skip convolutions must be at least 0")

    def reason_against(self, module: nn.Module) -> str | None:
        """Plain convolutions only: of another kind the kernel is not all that it does."""
        if type(module) is not nn.Conv2d:
            return reason_against_kind(module) or "not a plain convolution"
        if module.padding_mode != "zeros":
            return f"padding_mode {module.padding_mode!r}, where skipped places have no zeros beside them"
        return None

    def rule(self, predicts: str) -> SkipRule:
        """Make the rule; there is nothing to predict, so that `predicts` decides nothing."""
        return SkipRule(self.threshold)
