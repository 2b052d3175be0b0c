"""Functions that are called before and after modules, for as long as a network is looked at."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

Enter = Callable[[nn.Module, Any, Any], None]
Leave = Callable[[nn.Module, Any, Any], None]


@contextmanager
def hooked(
    modules: Iterable[nn.Module], *, enter: Enter | None = None, leave: Leave | None = None
) -> Iterator[None]:
    """Have enter(module, inputs, named inputs) and leave(module, inputs, output) called within the block.

    `leave` is called also where the module raises.
    """
    hooks = []
    try:
        for module in modules:
            if enter is not None:
                hooks.append(module.register_forward_pre_hook(enter, with_kwargs=True))
            if leave is not None:
                hooks.append(module.register_forward_hook(leave, always_call=True))
        yield
    finally:
        for hook in hooks:
            hook.remove()
