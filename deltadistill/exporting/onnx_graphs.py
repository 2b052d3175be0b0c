"""The three functions as ONNX graphs."""

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.onnx.errors import OnnxExporterError, UnsupportedOperatorError
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.module_tracker import ModuleTracker

from deltadistill.exporting.functions import DeltaFunctions
from deltadistill.exporting.simplifying import simplify
from deltadistill.exporting.sums import regroup_sums

OPSET = 17  # the newest that ONNX Runtime, OpenVINO and the tracing exporter all know
FRAME = "frame"

Axes = dict[int, str]
"""Names of the axes of a tensor that may have other sizes than the example's."""


class ExportError(ValueError):
    """A network that cannot become a graph: which operator of which layer, and what to do."""


def write_graphs(functions: DeltaFunctions, folder: Path, *, axes: Axes | None = None) -> dict[str, Path]:
    """Write frame.onnx, key.onnx and delta.onnx, and return their paths by function.

    axes: of the frame that may have other sizes later: {0: "batch"}; the maps then have the same.
    Raises ExportError.
    """
    written = {}
    for name, module, inputs, input_names, output_names in _calls(functions):
        written[name] = folder / f"{name}.onnx"
        changing = {} if not axes else dict.fromkeys((*input_names, *output_names), axes)
        with _explained(functions, name, module, inputs):
            _write(module, inputs, written[name], input_names, output_names, changing)
        simplify(written[name])
        regroup_sums(written[name])
    return written


_Call = tuple[str, nn.Module, tuple[Tensor, ...], list[str], list[str]]


def _calls(functions: DeltaFunctions) -> Iterator[_Call]:
    """Name of a function, its module, what it takes in the example, names of that and of what it returns."""
    maps = list(functions.maps)
    yield "frame", functions.frame, (functions.example,), [FRAME], functions.outputs
    yield "key", functions.key, (functions.example,), [FRAME], [*functions.outputs, *maps]
    inputs = (functions.example, *functions.maps.values())
    yield "delta", functions.delta, inputs, [FRAME, *maps], functions.outputs


@torch.no_grad()
def _write(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    path: Path,
    input_names: Sequence[str],
    output_names: Sequence[str],
    axes: dict[str, Axes],
) -> None:
    """By the tracing exporter.

    It is the older one of PyTorch's two; the newer one takes minutes where this takes seconds, and its
    graphs run no faster (docs/decisions.md).
    """
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):  # it prints the graph where it fails
        warnings.simplefilter("ignore")  # that there is a newer one; and what tracing makes constant
        torch.onnx.export(
            module,
            inputs,
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=list(input_names),
            output_names=list(output_names),
            dynamic_axes=axes,
        )


@contextmanager
def _explained(
    functions: DeltaFunctions, name: str, module: nn.Module, inputs: tuple[Tensor, ...]
) -> Iterator[None]:
    try:
        yield
    except UnsupportedOperatorError as error:
        operator = _operator_in(str(error))
        where = ", ".join(_layers_that_call(operator, module, inputs)) or "no layer of its own"
        raise ExportError(
            f"the operator {operator} of {where} has no form in ONNX (opset {OPSET}); replace the layer by "
            "one that does the same with other operators, or give run=, which leaves it out"
        ) from error
    except OnnxExporterError as error:
        first = str(error).strip().splitlines()[0]
        raise ExportError(f"the function {name!r} cannot be exported to ONNX: {first}") from error


def _operator_in(message: str) -> str:
    return next((part.strip("'") for part in message.split() if "::" in part), "that it names")


def _layers_that_call(operator: str, module: nn.Module, inputs: tuple[Tensor, ...]) -> list[str]:
    """Names of the layers that call an operator such as aten::fft_rfft, up to five."""
    found: dict[str, None] = {}

    def look(name: str) -> None:
        if name.rpartition("::")[2].split(".")[0].strip("_") == operator.rpartition("::")[2].strip("_"):
            found.setdefault(_network_name(tracker.parents))

    tracker = ModuleTracker()
    with torch.no_grad(), tracker, _Functions(look), _Operators(look):
        module(*inputs)
    return [f"layer {name!r}" for name in list(found)[:5]]


class _Functions(TorchFunctionMode):
    """Tells the names of PyTorch's functions as a network calls them."""

    def __init__(self, look: Callable[[str], None]):
        super().__init__()
        self._look = look

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._look(getattr(func, "__name__", ""))
        return func(*args, **(kwargs or {}))


class _Operators(TorchDispatchMode):
    """Tells the names of the operators that those functions come to."""

    def __init__(self, look: Callable[[str], None]):
        super().__init__()
        self._look = look

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._look(func.name())
        return func(*args, **(kwargs or {}))


def _network_name(parents: set[str]) -> str:
    deepest = max(parents - {"Global"}, key=len, default="")
    return deepest.partition("whole.network.")[2] or "the network itself"
