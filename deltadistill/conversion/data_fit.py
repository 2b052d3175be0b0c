"""One block on its way from plain SVD to the student fitted to its deltas, group by group."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.factorise import (
    Teacher,
    balance,
    kernel_matrices,
    leading_factors,
    set_first_factor,
    set_second_factor,
)
from deltadistill.conversion.second_moments import (
    energy_of_groups,
    no_sum,
    output_square,
    patch_moments,
    patch_square,
    reads_points,
)

_RIDGE = 1e-6  # relative to the mean diagonal: keeps directions that no delta takes harmless
_STILL = 1e-12  # energy of a group, relative to the liveliest one's: below it, only rounding moves
_FLOOR = 1e-7  # singular values, relative to a group's largest, that are divided by
_LARGEST = 10.0  # weights, relative to the largest that plain SVD gives the group

STILL = "in which nothing moves in the clips"
LARGE = "whose weights would be far above the teacher's"
NO_BETTER = "no better on held-out clips"


class Fit:
    """Takes in a block's input deltas, twice for kernels beyond 1×1; then the student is what fits best."""

    def __init__(self, block: DeltaBlock):
        self.block = block
        self.student = block.compressed
        self.by_svd = [layer.weight.clone() for layer in self.student]
        self.seen = False
        self._matrices = kernel_matrices(cast(Teacher, block.teacher))  # (groups, features, outputs)
        self._points = reads_points(self.student[1])
        groups, features, outputs = self._matrices.shape
        self._by_outputs = self._points and outputs < features
        self._square = self._energy = self._second = self._cross = no_sum()
        self._errors = {"svd": no_sum(), "data": no_sum()}
        self._why: list[str] = [""] * groups

    def see_inputs(self, x: Tensor) -> None:
        """Take in input deltas for the first factor."""
        self.seen = True
        if self._by_outputs:  # outputs tell as much of a pointwise layer as inputs, and are fewer
            self._square = self._square + output_square(self.student[1], self.block.uncompressed(x))
            self._energy = self._energy + energy_of_groups(self.student[0], x)
        else:
            self._square = self._square + patch_square(self.student[0], x)

    @property
    def moves(self) -> bool:
        """Whether any input has changed in what was seen."""
        return self.seen and bool((self._mean_energy() > 0).any())

    @property
    def needs_features(self) -> bool:
        """Whether `see_features` tells anything: of points the first moments tell all."""
        return not self._points and not all(self._why)

    @property
    def is_in_doubt(self) -> bool:
        """Whether any group may start from data."""
        return not all(self._why)

    def see_features(self, x: Tensor) -> None:
        """Take in input deltas for the second factor."""
        features, outputs = self.student[0](x), self.block.uncompressed(x)
        square, cross = patch_moments(self.student[1], features, outputs)
        self._second, self._cross = self._second + square, self._cross + cross

    def energies(self) -> Tensor:
        """What of the teacher's deltas each further intermediate channel explains, falling, over all groups.

        The squares of the whitened singular values; their sum is the energy of the deltas seen so far.
        """
        mean = self._mean_energy()
        moving = mean > _STILL * mean.amax()  # the others explain nothing, and have no inverse
        square, matrices = self._square[moving], self._matrices[moving]
        ridge = _RIDGE * mean[moving, None, None]
        if self._by_outputs:
            squares, _ = torch.linalg.eigh(square + ridge * matrices.mT @ matrices)
            return squares.flip(1).clamp_min(0).sum(0)
        factor = torch.linalg.cholesky(square + ridge * torch.eye(square.shape[1]).to(square)).mT
        return torch.linalg.svdvals(factor @ matrices).square().sum(0)

    def solve_first(self) -> None:
        """Set the student's first layer."""
        mean = self._mean_energy()
        known = mean.isfinite()
        moves = known & (mean > _STILL * mean[known].amax()) if known.any() else known
        self._hold(~moves, STILL)
        if not moves.any():
            return
        self._square = torch.where(
            moves[:, None, None], self._square, torch.eye(self._square.shape[-1]).to(self._square)
        )
        ridge = _RIDGE * torch.where(moves, mean, 1.0)[:, None, None]
        values, right = self._spectrum(ridge)
        floor = _FLOOR * values.amax(1, keepdim=True)
        values = torch.maximum(values, floor).clamp_min(torch.finfo(values.dtype).tiny)
        set_first_factor(self.student, factor := self._matrices @ (right.mT / values[:, None, :]))
        if not self._points:
            return
        if self._by_outputs:
            through = (right / values[:, :, None]) @ self._square
            self._second, self._cross = through @ (right.mT / values[:, None, :]), through
        else:
            through = factor.mT @ self._square
            self._second, self._cross = through @ factor, through @ self._matrices

    def _mean_energy(self) -> Tensor:
        if self._by_outputs:
            return self._energy / self._matrices.shape[1]
        return self._square.diagonal(dim1=1, dim2=2).mean(1)

    def _spectrum(self, ridge: Tensor) -> tuple[Tensor, Tensor]:
        """Singular values (groups, rank) and right vectors (groups, rank, outputs) of Lᵀ M."""
        rank = self.student[0].weight.shape[0] // len(self._matrices)
        if self._by_outputs:  # Mᵀ C M is the outputs' moment
            squares, vectors = torch.linalg.eigh(self._square + ridge * self._matrices.mT @ self._matrices)
            return squares[:, -rank:].flip(1).clamp_min(0).sqrt(), vectors[:, :, -rank:].flip(2).mT
        identity = torch.eye(self._square.shape[1]).to(self._square)
        factor = torch.linalg.cholesky(self._square + ridge * identity).mT
        _, values, right = leading_factors(factor @ self._matrices, rank)
        return values, right

    def solve_second(self) -> None:
        """Set the student's second layer, and hold the groups that come out too large."""
        if all(self._why):
            self._set(self.by_svd)
            self._by_data = self.by_svd
            return
        solved = torch.linalg.solve(_with_ridge(self._second), self._cross)
        groups, features, outputs = solved.shape
        taps = features // (self.student[0].weight.shape[0] // groups)
        # from (rank, tap) × outputs to rank × (outputs, tap), the layout of the kernel matrix
        set_second_factor(self.student, solved.reshape(groups, -1, taps, outputs).transpose(2, 3).flatten(2))
        balance(self.student)
        by_data = [layer.weight.clone() for layer in self.student]
        limit = _LARGEST * self._largest(self.by_svd)
        self._hold(~(self._largest(by_data) <= limit), LARGE)
        self._by_data = self._mixed(by_data)

    def judge(self, x: Tensor) -> None:
        """Compare both students on input deltas of held-out clips."""
        truth = self.block.uncompressed(x)
        for name, weights in (("svd", self.by_svd), ("data", self._by_data)):
            self._set(weights)
            error = energy_of_groups(self.student[1], truth - self.student(x))
            self._errors[name] = self._errors[name] + error

    def keep_the_better(self) -> None:
        """Leave each group of the student the weights that were better."""
        better = self._errors["data"] < self._errors["svd"]
        self._hold(~better.expand(len(self._why)), NO_BETTER)
        self._set(self._mixed(self._by_data))

    def held(self) -> dict[str, int]:
        """How many groups keep the SVD because the clips cannot tell them apart or would spoil them."""
        return {reason: self._why.count(reason) for reason in (STILL, LARGE) if reason in self._why}

    def outcome(self) -> str:
        """How the student begins: from data, or from the SVD and why."""
        if not self.seen:
            return "SVD: it did not run on the clips"
        reasons = {reason: self._why.count(reason) for reason in (STILL, LARGE, NO_BETTER)}
        parts = [f"{count} of {len(self._why)} group(s) {why}" for why, count in reasons.items() if count]
        if not parts:
            return "data"
        return f"{'data, but SVD' if '' in self._why else 'SVD'} for {', '.join(parts)}"

    def _hold(self, groups: Tensor, reason: str) -> None:
        for group in groups.nonzero().flatten().tolist():
            self._why[group] = self._why[group] or reason

    def _mixed(self, by_data: Sequence[Tensor]) -> list[Tensor]:
        """Weights by data, and by SVD for the groups that are held."""
        held = torch.tensor([bool(why) for why in self._why], device=by_data[0].device)
        return [
            torch.where(
                held.repeat_interleave(len(data) // len(held)).view(-1, *[1] * (data.dim() - 1)), svd, data
            )
            for data, svd in zip(by_data, self.by_svd, strict=True)
        ]

    def _largest(self, weights: Sequence[Tensor]) -> Tensor:
        """Largest absolute weight of either layer, per group."""
        per_group = [weight.unflatten(0, (len(self._why), -1)).flatten(1).abs().amax(1) for weight in weights]
        return torch.stack(per_group).amax(0).double()

    def _set(self, weights: Sequence[Tensor]) -> None:
        for layer, weight in zip(self.student, weights, strict=True):
            layer.weight.copy_(weight)


def _with_ridge(square: Tensor) -> Tensor:
    mean = square.diagonal(dim1=1, dim2=2).mean(1)
    mean = torch.where(mean > 0, mean, 1.0)
    return square + _RIDGE * mean[:, None, None] * torch.eye(square.shape[1]).to(square)
