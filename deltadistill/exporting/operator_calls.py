"""Which layer of a network calls which operator, for errors that name both."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.module_tracker import ModuleTracker

from deltadistill.forward.watching import OperatorWatch


def layers_that_call(operator: str, module: nn.Module, inputs: Sequence[Tensor]) -> list[str]:
    """Names of the layers that call an operator such as aten::fft_rfft, up to five."""
    found: dict[str, None] = {}

    def look(name: str) -> None:
        if name.rpartition("::")[2].split(".")[0].strip("_") == operator.rpartition("::")[2].strip("_"):
            found.setdefault(network_name(tracker.parents))

    tracker = ModuleTracker()
    with torch.no_grad(), tracker, _Functions(look), _Operators(look):
        module(*inputs)
    return [f"layer {name!r}" for name in list(found)[:5]]


class LastCall:
    """The operator that was called last, and the layer that called it."""

    def __init__(self) -> None:
        self.operator, self.layer = "", ""

    def said(self) -> str:
        """Both in words."""
        return f"the operator {self.operator} of layer {self.layer!r} says"


@contextmanager
def last_call() -> Iterator[LastCall]:
    """Take down what is called within the block."""
    call, tracker = LastCall(), ModuleTracker()

    def look(name: str) -> None:
        call.operator, call.layer = name, network_name(tracker.parents)

    with tracker, _Functions(look):
        yield call


class _Functions(TorchFunctionMode):
    """Tells the names of PyTorch's functions as a network calls them."""

    def __init__(self, look: Callable[[str], None]):
        super().__init__()
        self._look = look

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._look(getattr(func, "__name__", ""))
        return func(*args, **(kwargs or {}))


class _Operators(OperatorWatch):
    """Tells the names of the operators that those functions come to."""

    def __init__(self, look: Callable[[str], None]):
        super().__init__()
        self._look = look

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._look(func.name())
        return func(*args, **(kwargs or {}))


def network_name(parents: set[str]) -> str:
    """The name in the network of the deepest of the modules that run."""
    deepest = max(parents - {"Global"}, key=len, default="")
    return deepest.partition("whole.network.")[2] or "the network itself"
