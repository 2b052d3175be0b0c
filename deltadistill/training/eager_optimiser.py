"""PyTorch's optimisers without its compiler, whose import takes a second or two."""

import inspect
from typing import TypeVar

import torch

Optimiser = TypeVar("Optimiser", bound=torch.optim.Optimizer)

_KEPT_FROM_COMPILER = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")


def eager(kind: type[Optimiser]) -> type[Optimiser]:
    """`kind` for steps that are never compiled: the same methods, out of the wrappers that ask the compiler.

    Its option `differentiable` is not for it: a step keeps no history.
    """
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in _KEPT_FROM_COMPILER}
    step = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), {**methods, "step": step, "__doc__": kind.__doc__})
