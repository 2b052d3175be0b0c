"""Second moments of what a student's layer reads: sums over positions of p pᵀ and p yᵀ, in float64.

p is the patch of one position: the inputs of its group at each tap of the kernel, in the order (input, tap).
A student's kernels lie along one axis. There, the moments of taps (a, b) are those of (0, b − a) but for a
few rows at the edges, so that k products do instead of k².
"""

from collections.abc import Iterator
from math import gcd

import torch
from torch import Tensor, nn
from torch.nn import functional

_CHUNK = 2**19  # elements taken at once: copies in float64 stay small beside a batch of maps


def patch_square(layer: nn.Conv2d | nn.Linear, x: Tensor) -> Tensor:
    """Sum of p pᵀ over the patches that `layer` reads of x: (groups, features, features)."""
    return sum(_Patches(layer, some).square() for some in _chunks(_as_maps(layer, x)))


def patch_moments(layer: nn.Conv2d | nn.Linear, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Sums of p pᵀ and p yᵀ over the patches that `layer` reads of x and the outputs y.

    Shapes (groups, features, features) and (groups, features, outputs).
    """
    x, y = _as_maps(layer, x), _as_maps(layer, y)
    square = cross = 0.0
    for some, outputs in zip(_chunks(x), y.split(_rows_at_once(x)), strict=True):
        patches = _Patches(layer, some)
        square, cross = square + patches.square(), cross + patches.cross(outputs)
    return square, cross


def output_square(layer: nn.Conv2d | nn.Linear, y: Tensor) -> Tensor:
    """Sum of y yᵀ over the outputs y of `layer`: (groups, outputs, outputs)."""
    groups = groups_of(layer)
    found = (_by_group(some, groups) for some in _chunks(_as_maps(layer, y)))
    return sum(outputs @ outputs.mT for outputs in found)


def energy_of_groups(layer: nn.Conv2d | nn.Linear, y: Tensor) -> Tensor:
    """Sum of squares of y, inputs or outputs of `layer`: (groups,)."""
    maps = _as_maps(layer, y)
    of_channels = sum(some.double().square().sum((0, 2, 3)) for some in _chunks(maps))
    return of_channels.unflatten(0, (groups_of(layer), -1)).sum(1)


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


class _Patches:
    """What `layer` reads of maps (N, C, H, W), tap by tap of its kernel."""

    def __init__(self, layer: nn.Conv2d | nn.Linear, maps: Tensor):
        self._groups = groups_of(layer)
        self._axis, self._stride, self._step = 3, 1, 1
        self._views = [maps]
        if isinstance(layer, nn.Conv2d):
            self._axis = 2 if layer.kernel_size[0] > 1 else 3  # of k×1, of 1×k
            self._stride, self._step = layer.stride[self._axis - 2], layer.dilation[self._axis - 2]
            self._views = self._read(layer, _padded(layer, maps))
        self._taps = [_by_group(view, self._groups) for view in self._views]

    def _read(self, layer: nn.Conv2d, maps: Tensor) -> list[Tensor]:
        """Views of the padded maps, with the height and width of the outputs."""
        taps = layer.kernel_size[self._axis - 2]
        size = maps.shape[self._axis] - self._step * (taps - 1)
        down, right = layer.stride
        starts = range(0, taps * self._step, self._step)
        return [maps.narrow(self._axis, start, size)[:, :, ::down, ::right] for start in starts]

    def square(self) -> Tensor:
        """Sum of p pᵀ."""
        found: dict[tuple[int, int], Tensor] = {}
        taps = range(len(self._taps))
        for a in taps:
            for b in taps[a:]:
                found[a, b] = self._moments(found, a, b)
                found[b, a] = found[a, b].mT
        rows = [torch.stack([found[a, b] for b in taps], dim=-1) for a in taps]
        return torch.stack(rows, dim=2).flatten(3, 4).flatten(1, 2)

    def cross(self, outputs: Tensor) -> Tensor:
        """Sum of p yᵀ."""
        outputs = _by_group(outputs, self._groups)
        return torch.stack([tap @ outputs.mT for tap in self._taps], dim=2).flatten(1, 2)

    def _moments(self, found: dict[tuple[int, int], Tensor], a: int, b: int) -> Tensor:
        """Of taps a and b: from those of the pair `back` taps before, which reads `rows` outputs earlier."""
        common = gcd(self._stride, self._step)
        back, rows = self._stride // common, self._step // common
        if a < back:
            return self._taps[a] @ self._taps[b].mT
        size = self._views[a].shape[self._axis]
        rows = min(rows, size)
        left = self._edges((a - back, b - back), 0, rows)
        come = self._edges((a, b), size - rows, rows)
        return found[a - back, b - back] - left + come

    def _edges(self, taps: tuple[int, int], start: int, rows: int) -> Tensor:
        views = (self._views[tap].narrow(self._axis, start, rows) for tap in taps)
        one, other = (_by_group(view, self._groups) for view in views)
        return one @ other.mT


def _padded(layer: nn.Conv2d, maps: Tensor) -> Tensor:
    reach = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
    if layer.padding == "valid":
        return maps
    if layer.padding == "same":
        (top, bottom), (left, right) = ((r // 2, r - r // 2) for r in reach)
    else:
        top, left = bottom, right = layer.padding
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    return functional.pad(maps, (left, right, top, bottom), mode=mode)


def _by_group(maps: Tensor, groups: int) -> Tensor:
    """(groups, channels per group, positions) in float64."""
    return maps.movedim(1, 0).double().reshape(groups, maps.shape[1] // groups, -1)
