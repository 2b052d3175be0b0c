"""A student design: which modules it fits, the rule of its blocks, and the candidates that it makes."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol, cast

from torch import nn

from deltadistill.blocks.registry import DESIGNS
from deltadistill.blocks.rule import Rule
from deltadistill.registry import is_path


class Student(Protocol):
    """What `convert` asks of a design; a frozen dataclass whose fields are its settings (`StudentDesign`)."""

    def reason_against(self, module: nn.Module) -> str | None:
        """Say why `module` cannot or should not be converted; None where it can."""

    def rule(self, predicts: str) -> Rule:
        """Make the rule of its blocks.

        predicts: "delta" or "feature". Raises ValueError for what the design's blocks do not predict.
        """

    def candidates(self, teacher: nn.Module) -> Mapping[str, nn.Module | None]:
        """Make the candidates for a block, both by name, or none.

        None stands for a candidate that the rule computes without a module of its own.
        """

    def as_dict(self) -> dict[str, Any]:
        """Return the design's kind and settings as plain values."""


class StudentDesign:
    """What most designs have in common; one without candidates has to say its rule alone."""

    def reason_against(self, module: nn.Module) -> str | None:
        """Say why `module` cannot or should not be converted; None where it can: here, everything."""
        return None

    def rule(self, predicts: str) -> Rule:
        """Make the rule of its blocks (see Student.rule)."""
        raise NotImplementedError

    def candidates(self, teacher: nn.Module) -> Mapping[str, nn.Module | None]:
        """Make the candidates for a block: here, none."""
        return {}

    def of_block(self, name: str) -> Student:
        """The design of the block of this name: here, the same for all."""
        return cast(Student, self)

    def as_dict(self) -> dict[str, Any]:
        """Return the kind and the settings as plain values, for an architecture file."""
        return {"kind": _kind(type(self)), **asdict(cast(Any, self))}  # every design is a dataclass


def of_block(students: Student, name: str) -> Student:
    """What a design makes of the block of this name; a design of your own need not tell blocks apart."""
    return students.of_block(name) if hasattr(students, "of_block") else students


def _kind(design: type) -> str:
    """The name in the registry, else package.module:name.

    Raises ValueError for a class inside a function or another class, which no file can name.
    """
    path = f"{design.__module__}:{design.__qualname__}"
    listed = [name for name, entry in DESIGNS.entries.items() if entry == path]
    if not (listed or is_path(path)):
        raise ValueError(
            f"the student design {path} has no name for a file; define it at the top of a module"
        )
    return listed[0] if listed else path
