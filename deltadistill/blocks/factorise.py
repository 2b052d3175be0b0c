"""Factors of a kernel: W ≈ second · first, by singular values or at random."""

from typing import cast

import torch
from torch import Tensor, nn

from deltadistill.blocks.kernel import plain_layer

Teacher = nn.Conv2d | nn.Linear
_LARGE = 768  # smaller side of a matrix from which on its SVD would take seconds


def grouped_kernel(teacher: Teacher) -> Tensor:
    """Return the kernel that the teacher applies as (groups, outputs, inputs, k_h, k_w), in float64."""
    weight = plain_layer(teacher).weight.detach().double()
    if isinstance(teacher, nn.Linear):
        return weight[None, :, :, None, None]
    return weight.reshape(teacher.groups, -1, *weight.shape[1:])


def full_rank(teacher: Teacher) -> int:
    """Return the intermediate channels at which a student can equal `teacher` exactly."""
    if isinstance(teacher, nn.Linear):
        return min(teacher.in_features, teacher.out_features)
    groups, (kernel_h, kernel_w) = teacher.groups, teacher.kernel_size
    return min(teacher.in_channels // groups * kernel_h, teacher.out_channels // groups * kernel_w) * groups


def kernel_matrices(teacher: Teacher) -> Tensor:
    """Return per group the matrix M of (inputs·k_h) × (outputs·k_w) whose factors the student holds."""
    kernels = grouped_kernel(teacher)
    groups, outputs, inputs, kernel_h, kernel_w = kernels.shape
    return kernels.permute(0, 2, 3, 1, 4).reshape(groups, inputs * kernel_h, outputs * kernel_w)


def _weights(student: nn.Sequential) -> tuple[Tensor, Tensor]:
    first, second = (cast(Teacher, layer).weight for layer in student)
    return first, second


@torch.no_grad()
def set_first_factor(student: nn.Sequential, factor: Tensor) -> None:
    """Write (groups, inputs·k_h, rank per group) into the student's first layer."""
    weight, _ = _weights(student)
    groups, _, rank = factor.shape
    if weight.dim() == 2:
        weight.copy_(factor[0].T)
        return
    kernel = factor.reshape(groups, weight.shape[1], weight.shape[2], rank)
    weight.copy_(kernel.permute(0, 3, 1, 2).reshape(weight.shape))


@torch.no_grad()
def set_second_factor(student: nn.Sequential, factor: Tensor) -> None:
    """Write (groups, rank per group, outputs·k_w) into the student's second layer."""
    _, weight = _weights(student)
    groups, rank, _ = factor.shape
    if weight.dim() == 2:
        weight.copy_(factor[0].T)
        return
    kernel = factor.reshape(groups, rank, weight.shape[0] // groups, weight.shape[3])
    weight.copy_(kernel.permute(0, 2, 1, 3).reshape(weight.shape))


def factor_product(student: nn.Sequential) -> Tensor:
    """The matrix (groups, inputs·k_h, outputs·k_w) that a student's factors make, with gradient.

    In the order of `kernel_matrices`; a Linear is one group and a 1×1 kernel.
    """
    first, second = _weights(student)
    if first.dim() == 2:
        return (second @ first).T[None]
    groups = first.shape[0] // second.shape[1]
    into = first.unflatten(0, (groups, -1)).flatten(2)  # (groups, rank, inputs·k_h)
    out_of = second.unflatten(0, (groups, -1)).transpose(1, 2).flatten(2)  # (groups, rank, outputs·k_w)
    return into.mT @ out_of


def initialise_by_svd(student: nn.Sequential, teacher: Teacher) -> None:
    """Set `student` to the best factorisation of the teacher's kernel, group by group.

    M = U S Vᵀ; the first factor is U √S and the second √S Vᵀ, cut at the rank (spatial SVD, reference
    [17] of the paper).
    """
    if teacher.weight.is_meta:
        return
    matrices = kernel_matrices(teacher)
    rank = _weights(student)[0].shape[0] // len(matrices)
    left, values, right = leading_factors(matrices, rank)
    root = values.sqrt()
    set_first_factor(student, left * root[:, None, :])
    set_second_factor(student, root[:, :, None] * right)


def leading_factors(matrices: Tensor, rank: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return U, S and Vᵀ of float64 matrices (groups, rows, columns), cut at the rank.

    Large matrices are factorised by the eigenvectors of their smaller Gram matrix, several times as fast:
    the product is the projection of M on those whatever rounding does to S, and its squared error exceeds
    the smallest possible one by at most 1e-12 ‖M‖².
    """
    if min(matrices.shape[1:]) <= _LARGE:
        left, values, right = torch.linalg.svd(matrices, full_matrices=False)
        return left[:, :, :rank], values[:, :rank], right[:, :rank]
    if matrices.shape[1] < matrices.shape[2]:
        right, values, left = leading_factors(matrices.mT, rank)
        return left.mT, values, right.mT
    _, vectors = torch.linalg.eigh(matrices.mT @ matrices)
    right = vectors[:, :, -rank:].flip(2)
    left = matrices @ right
    values = left.norm(dim=1)
    return left / values.clamp_min(torch.finfo(values.dtype).tiny)[:, None, :], values, right.mT


@torch.no_grad()
def balance(student: nn.Sequential) -> None:
    """Share every intermediate channel's scale evenly between the two factors; the product stays.

    An optimiser takes equal steps in both, so that a tiny factor beside a huge one would be thrown about.
    """
    first, second = _weights(student)
    groups = len(first) // second.shape[1]
    into = first.unflatten(0, (groups, -1)).flatten(2)  # (groups, rank, inputs·k_h), a view
    out_of = second.unflatten(0, (groups, -1)).transpose(1, 2)  # (groups, rank, outputs, …), a view
    # in float64, where the square of a tiny weight is not zero
    norm_in, norm_out = into.double().norm(dim=2), out_of.double().flatten(2).norm(dim=2)
    scale = torch.where((norm_in > 0) & (norm_out > 0), (norm_out / norm_in).sqrt(), 1.0)
    into.copy_(into * scale[..., None])
    out_of.copy_(out_of / scale[(..., *[None] * (out_of.dim() - 2))])


def initialise_randomly(student: nn.Sequential, generator: torch.Generator | None) -> None:
    """Draw both factors as the paper does, keeping the scale of what passes through."""
    for weight in _weights(student):
        nn.init.kaiming_normal_(weight, nonlinearity="linear", generator=generator)
