"""Linear students: a layer factorised into k×1 and 1×k with fewer channels between (Fig. 3)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import lcm
from typing import Any, Literal, cast

import torch
from torch import nn

from deltadistill.blocks.candidates import COMPRESSED, UNCOMPRESSED
from deltadistill.blocks.delta_rule import DeltaRule
from deltadistill.blocks.design import Student, StudentDesign
from deltadistill.blocks.factorise import Teacher, full_rank, initialise_by_svd, initialise_randomly
from deltadistill.blocks.feature_rule import FeatureRule
from deltadistill.blocks.kernel import NoKernelError, plain_layer, without_bias
from deltadistill.blocks.kinds import reason_against_kind
from deltadistill.blocks.prediction import OfChange, OfFeatures
from deltadistill.blocks.rule import Rule

_LARGEST_RANK = 2**16  # more than any layer's channels

_RULES: dict[str, type[Rule]] = {OfChange.name: DeltaRule, OfFeatures.name: FeatureRule}


@dataclass(frozen=True)
class LinearStudent(StudentDesign):
    """How the compressed student of a Conv2d or a Linear is made; a Linear is treated as a 1×1 kernel.

    gamma: compression factor of the intermediate channels (the rank).
    rank: "out" takes out_channels // gamma, "min" takes min(in, out) // gamma; where that is 0, the
        channels are not reduced.
    multiple: the rank is rounded up to a multiple of this (fast runtimes like 16).
    initialisation: "svd" is the best factorisation of the teacher's kernel; "random" is the paper's;
        "data" is the factorisation that is best on real deltas (data_aware.py): `convert` then needs clips.
    pointwise_stride: a 1×1 student takes both strides in its "first" convolution, which costs least;
        "split" strides vertically in the first and horizontally in the second, like larger kernels.
    keep_dearer: also make students that cost more than their teacher (only to compare with published
        totals; they are never worth running).
    ranks: by name of blocks whose students have so many intermediate channels, whatever gamma is
        (`choose_ranks`); a block with 0 is not converted: its teacher runs on every frame.
    """

    gamma: int = 4
    rank: Literal["out", "min"] = "out"
    multiple: int = 1
    initialisation: Literal["svd", "random", "data"] = "svd"
    pointwise_stride: Literal["first", "split"] = "first"
    keep_dearer: bool = False
    ranks: Mapping[str, int] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        _require_ranks(self.ranks)
        if self.gamma < 1:
            raise ValueError(f"gamma {self.gamma} must be at least 1")
        if self.multiple < 1:
            raise ValueError(f"multiple {self.multiple} must be at least 1")
        allowed = {
            "rank": ("out", "min"),
            "initialisation": ("svd", "random", "data"),
            "pointwise_stride": ("first", "split"),
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise ValueError(f"{name} {getattr(self, name)!r} is unknown; allowed: {values}")

    def of_block(self, name: str) -> Student:
        """The design of the block of this name."""
        return self if name not in self.ranks else _OfRank(**_settings(self), exactly=self.ranks[name])

    def as_dict(self) -> dict[str, Any]:
        """Return the kind and the settings, ranks where there are any."""
        described = super().as_dict()
        if not self.ranks:
            del described["ranks"]
        return described

    def rule(self, predicts: str) -> Rule:
        """Make the rule of delta distillation (Eq. 2), or that of feature distillation (Eq. 1)."""
        return _RULES[predicts]()

    def candidates(self, teacher: nn.Module) -> dict[str, nn.Module | None]:
        """Make both candidates for a block."""
        layer = cast(Teacher, teacher)
        return {UNCOMPRESSED: self.build_uncompressed(layer), COMPRESSED: self.build(layer)}

    def reason_against(self, module: nn.Module) -> str | None:
        """Say why `module` cannot or should not be converted; None where it can."""
        if reason := reason_against_kind(module):
            return reason
        try:
            plain = plain_layer(cast(Teacher, module))
        except NoKernelError as error:
            return str(error)
        teacher, student = _macs_per_position(plain), self._student_cost(plain)
        if student >= teacher and not self.keep_dearer:
            return f"student dearer than its teacher ({student / teacher:.2f} times the MACs)"
        return None

    def intermediate_channels(self, teacher: Teacher) -> int:
        """Return the rank of the student, at most the one at which it equals its teacher."""
        inputs, outputs, groups = _channels(teacher)
        channels = min(inputs, outputs) if self.rank == "min" else outputs
        reduced = channels // self.gamma or channels
        step = lcm(self.multiple, groups)
        reduced = -(-reduced // step) * step
        return min(reduced, full_rank(teacher))

    def build(self, teacher: Teacher, *, generator: torch.Generator | None = None) -> nn.Sequential:
        """Make the compressed student of `teacher`: k×1 then 1×k, both without bias.

        A bias would cancel in a delta, so that a static clip would no longer give a zero delta. With
        initialisation "data" it starts as "svd", until data_aware.initialise_from_data has seen clips.
        """
        teacher = plain_layer(teacher)
        student = self._linear_factors(teacher) if isinstance(teacher, nn.Linear) else self._factors(teacher)
        if self.initialisation == "random":
            initialise_randomly(student, generator)
        else:
            initialise_by_svd(student, teacher)
        return student.train(teacher.training)

    def build_uncompressed(self, teacher: Teacher) -> Teacher:
        """Make the uncompressed student: a layer with a copy of the teacher's kernel and no bias."""
        return without_bias(teacher, plain_layer(teacher))

    def _linear_factors(self, teacher: nn.Linear) -> nn.Sequential:
        rank = self.intermediate_channels(teacher)
        like: dict[str, Any] = {"bias": False, "device": teacher.weight.device, "dtype": teacher.weight.dtype}
        return nn.Sequential(
            nn.Linear(teacher.in_features, rank, **like), nn.Linear(rank, teacher.out_features, **like)
        )

    def _factors(self, teacher: nn.Conv2d) -> nn.Sequential:
        rank = self.intermediate_channels(teacher)
        (kernel_h, kernel_w), (stride_h, stride_w) = teacher.kernel_size, teacher.stride
        dilation_h, dilation_w = teacher.dilation
        first_stride, second_stride = (stride_h, 1), (1, stride_w)
        first_padding, second_padding = _split_padding(teacher.padding)
        if self._strides_first(teacher):
            first_stride, second_stride = (stride_h, stride_w), (1, 1)
            first_padding, second_padding = teacher.padding, 0  # a stride skips what was padded before it
        like: dict[str, Any] = {
            "groups": teacher.groups,
            "bias": False,
            "padding_mode": teacher.padding_mode,
            "device": teacher.weight.device,
            "dtype": teacher.weight.dtype,
        }
        vertical = nn.Conv2d(
            teacher.in_channels,
            rank,
            (kernel_h, 1),
            stride=first_stride,
            padding=first_padding,
            dilation=(dilation_h, 1),
            **like,
        )
        horizontal = nn.Conv2d(
            rank,
            teacher.out_channels,
            (1, kernel_w),
            stride=second_stride,
            padding=second_padding,
            dilation=(1, dilation_w),
            **like,
        )
        return nn.Sequential(vertical, horizontal)

    def _strides_first(self, teacher: Teacher) -> bool:
        return self.pointwise_stride == "first" and _kernel_size(teacher) == (1, 1)

    def _student_cost(self, teacher: Teacher) -> float:
        """MACs per output position."""
        rank, (inputs, outputs, groups) = self.intermediate_channels(teacher), _channels(teacher)
        kernel_h, kernel_w = _kernel_size(teacher)
        full_width = 1 if self._strides_first(teacher) else _horizontal_stride(teacher)
        return inputs // groups * rank * kernel_h * full_width + rank // groups * outputs * kernel_w


@dataclass(frozen=True)
class _OfRank(LinearStudent):
    """The design of one block, whose rank is known."""

    exactly: int = 1

    def reason_against(self, module: nn.Module) -> str | None:
        """Say why `module` is left alone."""
        return super().reason_against(module) if self.exactly else "kept in full: its rank is 0"

    def intermediate_channels(self, teacher: Teacher) -> int:
        """The rank, as the layer's groups have it."""
        groups = _channels(teacher)[2]
        return min(-(-self.exactly // groups) * groups, full_rank(teacher))


def _settings(students: LinearStudent) -> dict[str, Any]:
    return {each.name: getattr(students, each.name) for each in fields(LinearStudent) if each.name != "ranks"}


def _require_ranks(ranks: Any) -> None:
    if not isinstance(ranks, Mapping):
        raise ValueError(f"ranks are {ranks!r:.50}; expected whole numbers by block name")
    for name, rank in ranks.items():
        if not isinstance(name, str) or type(rank) is not int or not 0 <= rank <= _LARGEST_RANK:
            raise ValueError(f"the rank of block {name!r:.100} is {rank!r:.50}; expected a count from 0")


def _macs_per_position(teacher: Teacher) -> int:
    inputs, outputs, groups = _channels(teacher)
    kernel_h, kernel_w = _kernel_size(teacher)
    return inputs // groups * outputs * kernel_h * kernel_w


def _kernel_size(teacher: Teacher) -> tuple[int, ...]:
    return (1, 1) if isinstance(teacher, nn.Linear) else teacher.kernel_size


def _channels(teacher: Teacher) -> tuple[int, int, int]:
    """Inputs, outputs, groups."""
    if isinstance(teacher, nn.Linear):
        return teacher.in_features, teacher.out_features, 1
    return teacher.in_channels, teacher.out_channels, teacher.groups


def _horizontal_stride(teacher: Teacher) -> int:
    return 1 if isinstance(teacher, nn.Linear) else teacher.stride[1]


def _split_padding(padding: str | tuple[int, ...]) -> tuple[Any, Any]:
    """The padding of k×1 and of 1×k."""
    if isinstance(padding, str):
        return padding, padding
    return (padding[0], 0), (0, padding[1])
