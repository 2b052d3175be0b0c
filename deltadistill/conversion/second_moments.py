"""Second moments of what a student's layer reads: sums over positions of p pᵀ and p yᵀ, in float64.

p is the patch of one position: the inputs of its group at each tap of the kernel, in the order (input, tap).
A student's kernels lie along one axis. There, the moments of taps (a, b) are those of (0, b − a) but for a
few rows at the edges, so that k products do instead of k².
"""

from collections.abc import Iterable, Iterator
from math import gcd

import torch
from torch import Tensor, nn
from torch.nn import functional

_CHUNK = 2**19  # elements taken at once: copies in float64 stay small beside a batch of maps


def no_sum() -> Tensor:
    """What a sum of moments begins with: a zero that goes with tensors of any shape and device."""
    return torch.zeros((), dtype=torch.float64, device="cpu")


def _total(moments: Iterable[Tensor]) -> Tensor:
    return sum(moments, start=no_sum())


def patch_square(layer: nn.Conv2d | nn.Linear, x: Tensor) -> Tensor:
    """Sum of p pᵀ over the patches that `layer` reads of x: (groups, features, features)."""
    return _total(_Patches(layer, some).square() for some in _chunks(_as_maps(layer, x)))


def patch_moments(layer: nn.Conv2d | nn.Linear, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Sums of p pᵀ and p yᵀ over the patches that `layer` reads of x and the outputs y.

    Shapes (groups, features, features) and (groups, features, outputs).
    """
    x, y = _as_maps(layer, x), _as_maps(layer, y)
    square = cross = no_sum()
    for some, outputs in zip(_chunks(x), y.split(_rows_at_once(x)), strict=True):
        patches = _Patches(layer, some)
        square, cross = square + patches.square(), cross + patches.cross(outputs)
    return square, cross


def output_square(layer: nn.Conv2d | nn.Linear, y: Tensor) -> Tensor:
    """Sum of y yᵀ over the outputs y of `layer`: (groups, outputs, outputs)."""
    groups = groups_of(layer)
    found = (_by_group(some, groups).flatten(2) for some in _chunks(_as_maps(layer, y)))
    return _total(outputs @ outputs.mT for outputs in found)


def energy_of_groups(layer: nn.Conv2d | nn.Linear, y: Tensor) -> Tensor:
    """Sum of squares of y, inputs or outputs of `layer`: (groups,)."""
    return _total(_energies(some, groups_of(layer)) for some in _chunks(_as_maps(layer, y)))


def groups_of(layer: nn.Conv2d | nn.Linear) -> int:
    """Groups of a convolution; a Linear is one."""
    return 1 if isinstance(layer, nn.Linear) else layer.groups


def reads_points(layer: nn.Conv2d | nn.Linear) -> bool:
    """Whether the layer reads every position of its input by itself, and nothing beside."""
    if isinstance(layer, nn.Linear):
        return True
    return layer.kernel_size == layer.stride == (1, 1) and layer.padding in ((0, 0), "same", "valid")


def _as_maps(layer: nn.Conv2d | nn.Linear, x: Tensor) -> Tensor:
    return x.reshape(-1, x.shape[-1], 1, 1) if isinstance(layer, nn.Linear) else x


def _rows_at_once(maps: Tensor) -> int:
    return max(1, _CHUNK // maps[:1].numel())


def _chunks(maps: Tensor) -> Iterator[Tensor]:
    return iter(maps.split(_rows_at_once(maps)))


def _energies(maps: Tensor, groups: int) -> Tensor:
    flat = maps.to(torch.float64, memory_format=torch.contiguous_format).reshape(len(maps) * groups, 1, -1)
    return (flat @ flat.mT).view(-1, groups).sum(0)


class _Patches:
    """What `layer` reads of maps (N, C, H, W), tap by tap of its kernel: views of one copy in float64.

    The copy has the kernel's axis before the other axes of positions, a strided one by phases (`_by_group`):
    what a tap reads then lies in one piece.
    """

    def __init__(self, layer: nn.Conv2d | nn.Linear, maps: Tensor):
        self._groups = groups_of(layer)
        self._axis, self._stride, self._step, self._taps = 2, 1, 1, 1
        if isinstance(layer, nn.Conv2d):
            maps = self._read_by(layer, _padded(layer, maps))
        self._rows = (maps.shape[self._axis] - self._step * (self._taps - 1) - 1) // self._stride + 1
        self._maps = _by_group(maps, self._groups, self._axis, self._stride)

    def _read_by(self, layer: nn.Conv2d, maps: Tensor) -> Tensor:
        """Take the layer's measures along the axis of its taps; return the maps strided along the other."""
        along = 1 if layer.kernel_size[1] > 1 else 0  # of 1×k, of k×1
        self._axis, self._taps, self._step = along + 2, layer.kernel_size[along], layer.dilation[along]
        strides = list(layer.stride)
        if self._taps > 1:
            self._stride, strides[along] = strides[along], 1
        return maps[:, :, :: strides[0], :: strides[1]]

    def square(self) -> Tensor:
        """Sum of p pᵀ."""
        found: dict[tuple[int, int], Tensor] = {}
        taps = range(self._taps)
        for a in taps:
            for b in taps[a:]:
                found[a, b] = self._moments(found, a, b)
                found[b, a] = found[a, b].mT
        rows = [torch.stack([found[a, b] for b in taps], dim=-1) for a in taps]
        return torch.stack(rows, dim=2).flatten(3, 4).flatten(1, 2)

    def cross(self, outputs: Tensor) -> Tensor:
        """Sum of p yᵀ."""
        outputs = _by_group(outputs, self._groups, self._axis).flatten(2)
        taps = (self._read(tap, 0, self._rows) for tap in range(self._taps))
        return torch.stack([tap @ outputs.mT for tap in taps], dim=2).flatten(1, 2)

    def _moments(self, found: dict[tuple[int, int], Tensor], a: int, b: int) -> Tensor:
        """Of taps a and b: from those of the pair `back` taps before, which reads `rows` outputs earlier."""
        common = gcd(self._stride, self._step)
        back, rows = self._stride // common, min(self._step // common, self._rows)
        if a < back:
            return self._products(a, b, 0, self._rows)
        left = self._products(a - back, b - back, 0, rows)
        come = self._products(a, b, self._rows - rows, rows)
        return found[a - back, b - back] - left + come

    def _products(self, a: int, b: int, start: int, rows: int) -> Tensor:
        return self._read(a, start, rows) @ self._read(b, start, rows).mT

    def _read(self, tap: int, start: int, rows: int) -> Tensor:
        """What a tap reads for `rows` rows of outputs: (groups, channels per group, positions), a view."""
        first, phase = divmod(tap * self._step, self._stride)
        return self._maps[:, :, phase, first + start : first + start + rows].flatten(2)


def _padded(layer: nn.Conv2d, maps: Tensor) -> Tensor:
    reach = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
    if layer.padding == "valid":
        return maps
    if isinstance(layer.padding, str):
        (top, bottom), (left, right) = ((r // 2, r - r // 2) for r in reach)
    else:
        top, left = bottom, right = layer.padding
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    return functional.pad(maps, (left, right, top, bottom), mode=mode)


def _by_group(maps: Tensor, groups: int, axis: int = 2, stride: int = 1) -> Tensor:
    """Maps (N, C, H, W) in float64 as (groups, channels per group, stride, length, N times the other axis).

    Position i of the axis is at (i mod stride, i div stride); zeros fill what is no multiple.
    """
    moved = maps.transpose(0, 1).movedim(axis, 1)  # (C, length, N, other)
    if short := -moved.shape[1] % stride:
        moved = functional.pad(moved, (0, 0, 0, 0, 0, short))
    phased = moved.unflatten(1, (-1, stride)).transpose(1, 2)
    copied = phased.to(torch.float64, memory_format=torch.contiguous_format)
    return copied.unflatten(0, (groups, -1)).flatten(4)
