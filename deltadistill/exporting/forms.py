"""How a block is computed by functions that keep nothing: with as few maps, and as little work, as it allows.

A linear student g without bias has z_t = z_0 + g(x_t − x_0) = c_0 + g(x_t) with c_0 = z_0 − g(x_0), one map
for the three tensors x_0, z_0 and x_t − x_0. Where teacher and student are convolutions, g is itself one of
kernel B∘A, so that c_0 = (W − B∘A) x_0 + b comes from the merged kernel and z_0 = c_0 + g(x_0): the key frame
then computes what delta frames compute, and one sum less.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from deltadistill.blocks.candidates import UNCOMPRESSED
from deltadistill.blocks.delta import DeltaBlock
from deltadistill.blocks.delta_rule import DeltaRule
from deltadistill.blocks.kernel import NoKernelError, plain_layer
from deltadistill.blocks.moved_rule import MovedDeltaRule

Maps = Mapping[str, Tensor]

_LINEAR = (nn.Conv2d, nn.Linear)


class Form(Protocol):
    """A block as two functions; maps are tensors by a short name, and nothing changes them."""

    def key(self, x: Tensor) -> tuple[Tensor, Maps]:
        """Output of a key frame, and what later frames need of it."""

    def delta(self, x: Tensor, maps: Maps) -> Tensor:
        """Output of a later frame."""


def form_of(block: DeltaBlock) -> Form:
    """The cheapest form that computes what the block's rule does; the block itself stays as it is."""
    student = linear_student(block)
    if student is None:
        return ByRule(block)
    if block.choice == UNCOMPRESSED and _same_kernel(block.teacher, student):
        return Again(block.teacher)
    merged = merged_layer(block.teacher, student)
    return Sum(block.teacher, student) if merged is None else MergedSum(merged, student)


def linear_student(block: DeltaBlock) -> nn.Module | None:
    """The chosen candidate where it is linear and its difference is added to the key frame's output."""
    if type(block.rule) not in (DeltaRule, MovedDeltaRule):
        return None
    student = getattr(block, block.choice)
    layers = [module for module in student.modules() if not isinstance(module, nn.Sequential)]
    is_linear = all(type(layer) in _LINEAR and layer.bias is None for layer in layers)
    return student if is_linear else None


class Again:
    """The teacher on every frame: what an uncompressed student with its kernel comes to, without a map."""

    def __init__(self, teacher: nn.Module):
        self.teacher = teacher

    def key(self, x: Tensor) -> tuple[Tensor, Maps]:
        """See `Form`."""
        return self.teacher(x), {}

    def delta(self, x: Tensor, maps: Maps) -> Tensor:
        """See `Form`."""
        return self.teacher(x)


class Sum:
    """c_0 = z_0 − g(x_0), and then c_0 + g(x_t)."""

    def __init__(self, teacher: nn.Module, student: nn.Module):
        self.teacher, self.student = teacher, student

    def key(self, x: Tensor) -> tuple[Tensor, Maps]:
        """See `Form`."""
        z = self.teacher(x)
        return z, {"c_0": z - self.student(x)}

    def delta(self, x: Tensor, maps: Maps) -> Tensor:
        """See `Form`."""
        return self.student(x) + maps["c_0"]


class MergedSum:
    """c_0 = (W − B∘A) x_0 + b, and c_0 + g(x) on key frame and later frame alike."""

    def __init__(self, merged: nn.Module, student: nn.Module):
        self.merged, self.student = merged, student

    def key(self, x: Tensor) -> tuple[Tensor, Maps]:
        """See `Form`."""
        c_0 = self.merged(x)
        return self.student(x) + c_0, {"c_0": c_0}

    def delta(self, x: Tensor, maps: Maps) -> Tensor:
        """See `Form`."""
        return self.student(x) + maps["c_0"]


class ByRule:
    """What the block's own rule keeps, for students of every other kind.

    Raises ValueError on a delta frame whose rule hands on another state than it was given: such a network
    needs its frames in turn, and is no function of the key frame's maps.
    """

    def __init__(self, block: DeltaBlock):
        self.block = block

    def key(self, x: Tensor) -> tuple[Tensor, Maps]:
        """See `Form`."""
        z, state = self.block.key(x)
        return z, {str(number): tensor for number, tensor in enumerate(state)}

    def delta(self, x: Tensor, maps: Maps) -> Tensor:
        """See `Form`."""
        before = tuple(maps[str(number)] for number in range(len(maps)))
        z, after = self.block.delta(x, before)
        if len(after) != len(before) or any(a is not b for a, b in zip(after, before, strict=True)):
            raise ValueError(
                f"the block {self.block.name!r} changes its state from one delta frame to the next "
                f"({type(self.block.rule).__name__}); engines run deltas of the key frame alone, "
                "dd.Stream runs this network"
            )
        return z


def _same_kernel(teacher: nn.Module, student: nn.Module) -> bool:
    """Whether an uncompressed student applies its teacher's kernel, as it does until it is trained."""
    try:
        kernel = plain_layer(cast(Any, teacher)).weight
    except NoKernelError:
        return False
    (layer,) = (module for module in student.modules() if isinstance(module, _LINEAR))
    return bool(torch.equal(kernel, layer.weight))


def merged_layer(teacher: nn.Module, student: nn.Module) -> nn.Module | None:
    """A layer of kernel W − B∘A and the teacher's bias; None where student and teacher have no such.

    That is for two factors without groups and with zero padding, which commutes with a factor that has no
    bias; strides and dilations of the factors add up to the teacher's.
    """
    factors = list(student.children()) if isinstance(student, nn.Sequential) else []
    try:
        plain = plain_layer(cast(Any, teacher))
    except NoKernelError:
        return None
    kind = type(plain)
    if len(factors) != 2 or any(type(layer) is not kind for layer in factors):
        return None
    if isinstance(plain, nn.Linear):
        return _with_kernel(plain, plain.weight - factors[1].weight @ factors[0].weight)
    if any(layer.groups != 1 or layer.padding_mode != "zeros" for layer in (plain, *factors)):
        return None
    columns, rows = factors[0].weight[..., 0], factors[1].weight[:, :, 0]  # (r, in, k), (out, r, k)
    return _with_kernel(plain, plain.weight - torch.einsum("orw,rch->ochw", rows, columns))


def _with_kernel(layer: nn.Conv2d | nn.Linear, weight: Tensor) -> nn.Module:
    """A copy of a layer that has another kernel of its shape."""
    copy = deepcopy(layer)
    copy.weight = nn.Parameter(weight.detach(), requires_grad=False)
    return copy
