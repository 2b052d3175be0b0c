"""Linear students that start from real deltas: whitened SVD, then least squares.

Plain SVD treats all inputs alike; the deltas of real video do not spread alike. With u the vertical patches
of a block's input deltas, of covariance L Lᵀ, the first factor comes from the SVD of Lᵀ M instead of the
kernel matrix M; the second is the least-squares map from the first factor's output to the true delta.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.factorise import balance, kernel_matrices, set_first_factor, set_second_factor
from deltadistill.blocks.sessions import hint_at_channels, require_frames
from deltadistill.forward.modes import evaluation_mode

_HELD_OUT = 4  # every so-manieth clip judges and does not teach
_RIDGE = 1e-6  # relative to the mean diagonal: keeps directions that no delta takes harmless
_LEAST = 1e-12  # mean diagonal where nothing moves


@torch.no_grad()
def initialise_from_data(
    network: nn.Module, blocks: Sequence[DeltaBlock], clips: Tensor, *, batch: int = 8
) -> None:
    """Set every block's compressed student from clips (N, T, C, H, W), N ≥ 2, T ≥ 2.

    Deltas are those of the teacher: later frame minus the clip's first. A student whose error on the
    held-out clips is not below plain SVD's keeps the SVD (at full rank that is exact), and so does one
    that does not run on the clips.
    Raises ValueError for clips that are too few, of another form, or not finite.
    """
    require_frames(clips, "(N, T, C, H, W)")
    hint_at_channels(network, clips)
    if clips.shape[0] < 2 or clips.shape[1] < 2:
        raise ValueError(f"expected at least 2 clips (N, T, C, H, W) of 2 frames, got {tuple(clips.shape)}")
    if not clips.isfinite().all():
        raise ValueError("the clips hold values that are not finite; deltas of them initialise no student")
    held_out = torch.arange(len(clips)) % _HELD_OUT == _HELD_OUT - 1
    held_out[-1] = True
    taught, judged = clips[~held_out].split(batch), clips[held_out].split(batch)
    with evaluation_mode(network):
        _fit_students(network, blocks, taught, judged)


def _fit_students(
    network: nn.Module, blocks: Sequence[DeltaBlock], taught: Sequence[Tensor], judged: Sequence[Tensor]
) -> None:
    fits = {block: _Fit(block) for block in blocks}
    _watch(network, blocks[0], taught, lambda block, x: fits[block].first.add(x))
    fitted = [fit for fit in fits.values() if fit.first.seen]
    for fit in fitted:
        fit.solve_first()
    _watch(network, blocks[0], taught, lambda block, x: fits[block].second.add(x))
    for fit in fitted:
        fit.solve_second()
    _watch(network, blocks[0], judged, lambda block, x: fits[block].judge(x))
    for fit in fitted:
        fit.keep_the_better()


class _Fit:
    """One block on its way from plain SVD to the fitted student."""

    def __init__(self, block: DeltaBlock):
        self.block = block
        self.student = block.compressed
        self.by_svd = [layer.weight.clone() for layer in self.student]
        self.first = _Moments(self.student[0])
        self.second: _Moments | None = None
        self.errors = {"svd": 0.0, "data": 0.0}

    def solve_first(self) -> None:
        matrices = kernel_matrices(self.block.teacher)
        factor = torch.linalg.cholesky(self.first.covariance()).mT
        left, _, _ = torch.linalg.svd(factor @ matrices.to(factor), full_matrices=False)
        rank = self.student[0].weight.shape[0] // len(matrices)
        set_first_factor(self.student, torch.linalg.solve_triangular(factor, left[:, :, :rank], upper=True))
        self.second = _Moments(self.student[1], before=self.student[0], target=self.block.uncompressed)

    def solve_second(self) -> None:
        solved = torch.linalg.solve(self.second.covariance(), self.second.cross)
        groups, features, outputs = solved.shape
        taps = features // (self.student[0].weight.shape[0] // groups)
        # from (rank, tap) × outputs to rank × (outputs, tap), the layout of the kernel matrix
        factor = solved.reshape(groups, -1, taps, outputs).transpose(2, 3).flatten(2)
        set_second_factor(self.student, factor)
        balance(self.student)
        self.by_data = [layer.weight.clone() for layer in self.student]

    def judge(self, x: Tensor) -> None:
        truth = self.block.uncompressed(x)
        for name, weights in (("svd", self.by_svd), ("data", self.by_data)):
            self._set(weights)
            self.errors[name] += (truth - self.student(x)).double().square().sum().item()

    def keep_the_better(self) -> None:
        self._set(self.by_data if self.errors["data"] < self.errors["svd"] else self.by_svd)

    def _set(self, weights: Sequence[Tensor]) -> None:
        for layer, weight in zip(self.student, weights, strict=True):
            layer.weight.copy_(weight)


class _Moments:
    """Sums of p pᵀ over the patches p that `layer` reads, and of p yᵀ with the target's outputs y.

    before: what runs before the layer. target: what the whole student imitates.
    """

    def __init__(self, layer: nn.Module, *, before: nn.Module | None = None, target: nn.Module | None = None):
        self._patches, self._groups = _patch_reader(layer)
        self._before, self._target = before, target
        self._square: Tensor | float = 0.0
        self.cross: Tensor | float = 0.0

    @property
    def seen(self) -> bool:
        """Whether there was anything to take in."""
        return isinstance(self._square, Tensor)

    def add(self, x: Tensor) -> None:
        """Take in the input deltas x."""
        rows = self._rows(self._patches(self._before(x) if self._before else x))
        self._square = self._square + rows.mT @ rows
        if self._target is not None:
            self.cross = self.cross + rows.mT @ self._rows(self._target(x))

    def covariance(self) -> Tensor:
        """Sum of p pᵀ per group, with a small ridge."""
        mean = self._square.diagonal(dim1=1, dim2=2).mean(1).clamp_min(_LEAST)
        identity = torch.eye(self._square.shape[1], dtype=torch.float64, device=self._square.device)
        return self._square + _RIDGE * mean[:, None, None] * identity

    def _rows(self, features: Tensor) -> Tensor:
        """(groups, positions, features per group) in float64."""
        if features.dim() == 4 and isinstance(self._patches, nn.Conv2d):
            features = features.movedim(1, -1)
        rows = features.reshape(-1, self._groups, features.shape[-1] // self._groups)
        return rows.transpose(0, 1).double()


def _patch_reader(layer: nn.Module) -> tuple[Callable[[Tensor], Tensor], int]:
    """Return what lists the patches that `layer` reads as channels (input, tap), and its groups.

    A convolution with one-hot kernels: it pads, strides and dilates as the layer does.
    """
    if isinstance(layer, nn.Linear):
        return nn.Identity(), 1
    inputs, taps = layer.weight.shape[1], layer.weight.shape[2] * layer.weight.shape[3]
    reader = nn.Conv2d(
        layer.in_channels,
        layer.groups * inputs * taps,
        layer.kernel_size,
        stride=layer.stride,
        padding=layer.padding,
        dilation=layer.dilation,
        groups=layer.groups,
        bias=False,
        padding_mode=layer.padding_mode,
        device=layer.weight.device,
        dtype=layer.weight.dtype,
    )
    one_hot = torch.eye(inputs * taps).reshape(inputs * taps, inputs, *layer.kernel_size)
    reader.weight.data = one_hot.repeat(layer.groups, 1, 1, 1).to(reader.weight)
    return reader, layer.groups


class _InputWatch:
    """A session that computes per frame by the teacher and shows every block's student input."""

    def __init__(self, frames: int, observe: Callable[[DeltaBlock, Tensor], None]):
        self._frames = frames
        self._observe = observe

    def run(self, block: DeltaBlock, x: Tensor) -> Tensor:
        keys = x.shape[0] // self._frames
        self._observe(block, block.student_input(x[keys:], x[:keys]))
        return block.teacher(x)


def _watch(
    network: nn.Module,
    any_block: DeltaBlock,
    batches: Sequence[Tensor],
    observe: Callable[[DeltaBlock, Tensor], None],
) -> None:
    for some in batches:
        session = _InputWatch(some.shape[1], observe)
        with any_block.seat.taken_by(session):
            network(some.transpose(0, 1).flatten(0, 1))
