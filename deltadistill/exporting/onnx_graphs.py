"""The three functions as ONNX graphs."""

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.onnx.errors import OnnxExporterError, UnsupportedOperatorError

from deltadistill.exporting.functions import DeltaFunctions
from deltadistill.exporting.operator_calls import layers_that_call
from deltadistill.exporting.simplifying import simplify
from deltadistill.exporting.sums import regroup_sums

OPSET = 17  # the newest that ONNX Runtime, OpenVINO and the tracing exporter all know
FRAME = "frame"

Axes = dict[int, str]
"""Names of the axes of a tensor that may have other sizes than the example's."""


class ExportError(ValueError):
    """A network that cannot become a graph: which operator of which layer, and what to do."""


def write_graphs(
    functions: DeltaFunctions, folder: Path, *, axes: Mapping[str, Axes] | None = None
) -> dict[str, Path]:
    """Write frame.onnx, key.onnx and delta.onnx, and return their paths by function.

    axes: of what goes in and out, by its name, that may have other sizes later: {"frame": {0: "batch"}, …}.
    Raises ExportError.
    """
    written = {}
    for name, module, inputs, input_names, output_names in _calls(functions):
        written[name] = folder / f"{name}.onnx"
        changing = {each: axes[each] for each in (*input_names, *output_names) if axes and axes.get(each)}
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
        where = ", ".join(layers_that_call(operator, module, inputs)) or "no layer of its own"
        raise ExportError(
            f"the operator {operator} of {where} has no form in ONNX (opset {OPSET}); replace the layer by "
            "one that does the same with other operators, or give run=, which leaves it out"
        ) from error
    except OnnxExporterError as error:
        first = str(error).strip().splitlines()[0]
        operator = _operator_in(str(error))
        where = ", ".join(layers_that_call(operator, module, inputs))
        raise ExportError(
            f"the function {name!r} cannot be exported to ONNX: {first}"
            + (f"; {operator} is called by {where}" if where else "")
        ) from error


def _operator_in(message: str) -> str:
    told = re.search(r"export of operator (\w+)", message)
    named = next((part.strip("'") for part in message.split() if "::" in part), "that it names")
    return told[1] if told else named
