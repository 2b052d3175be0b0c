"""Blocks that pass for what they replace: `isinstance(block, nn.Conv2d)` holds where the teacher is one.

Forwards ask what their children are. A block's class is therefore a subclass of the teacher's type too, from
which it inherits nothing: what `nn.Module` or the block has is theirs, and the teacher answers for the rest.
"""

from collections.abc import Callable
from functools import cache
from inspect import getattr_static
from types import FunctionType
from typing import Any, TypeVar

from torch import nn
from torch.nn.utils.parametrize import type_before_parametrizations

Block = TypeVar("Block", bound=nn.Module)

OWN_ATTRIBUTES = (
    "teacher",
    "rule",
    "candidates",
    "uncompressed",
    "compressed",
    "gate",
    "seat",
    "decided",
)
"""What a block keeps for itself, besides the attributes of its class."""

_HOOKS_OF_CLASSES = ("__new__", "__init_subclass__")  # would run code of the teacher's for the block


def passing_for(block_type: type[Block], teacher: nn.Module) -> type[Block]:
    """Return the subclass of `block_type` whose instances pass for the type of `teacher`.

    It is `block_type` itself for teachers that no block can pass for: containers, whose children a caller
    would walk, and classes that make instances or classes in ways of their own.
    """
    return _class_for(block_type, type_before_parametrizations(teacher))


def _made_class(block_type: type, teacher_type: type) -> Any:
    inherited = _inherited(block_type, teacher_type)
    if not _can_be_passed_for(block_type, teacher_type, inherited):
        return block_type
    names = [name for name in inherited if not _is_special(name) or hasattr(block_type, name)]
    attributes = {name: _attribute(block_type, name) for name in names}
    attributes |= {"__module__": block_type.__module__, "__doc__": block_type.__doc__}
    attributes["__reduce_ex__"] = lambda block, protocol: (
        _blank,
        (block_type, teacher_type),
        block.__getstate__(),
    )
    return type(f"{block_type.__name__}[{teacher_type.__name__}]", (block_type, teacher_type), attributes)


_class_for: Callable[[type, type], Any] = cache(_made_class)


def _inherited(block_type: type, teacher_type: type) -> dict[str, Any]:
    """What a subclass would have from the teacher's type alone, by name."""
    classes = [cls for cls in teacher_type.__mro__ if cls not in block_type.__mro__]
    storage = ("__dict__", "__weakref__")
    return {n: value for cls in reversed(classes) for n, value in vars(cls).items() if n not in storage}


def _can_be_passed_for(block_type: type, teacher_type: type, inherited: dict[str, Any]) -> bool:
    special = [name for name, value in inherited.items() if _is_special(name) and _is_function(value)]
    return (
        type(teacher_type) is type
        and issubclass(teacher_type, nn.Module)
        and teacher_type not in block_type.__mro__
        and not set(inherited) & {*_HOOKS_OF_CLASSES, *OWN_ATTRIBUTES}
        and all(hasattr(block_type, name) for name in special)  # `__len__` and the like make a container
    )


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _is_function(value: Any) -> bool:
    return isinstance(value, FunctionType)


def _attribute(block_type: type, name: str) -> Any:
    return getattr_static(block_type, name) if hasattr(block_type, name) else _of_teacher(name)


def _of_teacher(name: str) -> property:
    def read(block: nn.Module) -> Any:
        return getattr(block.teacher, name)

    def write(block: nn.Module, value: Any) -> None:
        setattr(block.teacher, name, value)

    return property(read, write)


def _blank(block_type: type, teacher_type: type) -> Any:
    """Make the instance that copies and pickles fill: the class is made anew, not looked up by its name."""
    made = _class_for(block_type, teacher_type)
    return made.__new__(made)
