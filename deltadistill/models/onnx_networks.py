"""ONNX files as networks of PyTorch, made by onnx2pytorch, which is needed for them alone."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from deltadistill.models.onnx_graph import prepare, unread_operators

_FREE = 64  # pixels, for axes that the file leaves open
_CLOSE = 1e-3  # of the largest value: what the order of sums explains
_FLOAT = 1  # of TensorProto.DataType


def find(name: str) -> Callable[..., nn.Module]:
    """Return the builder of the ONNX file `name`; ValueError where it is not there or cannot be read.

    The network has the weights of the file, and takes and returns what the file says: frames (N, 3, H, W)
    and, as its first output, scores of as many classes as are asked for. What PyTorch cannot take of it is
    named by operator. Where ONNX Runtime is installed the network has given what that gives, on one frame.
    """
    path = Path(name)
    if not path.is_file():
        raise ValueError(f"model {name!r}: there is no ONNX file {path} in {Path.cwd()}")

    def build(*, classes: int | None = None) -> nn.Module:
        onnx, onnx2pytorch = _packages(path)
        try:
            content = onnx.load(path)
        except Exception as error:  # protobuf raises kinds of its own, none of which says which file
            raise ValueError(f"{path}: not an ONNX file that can be read: {error}") from error
        if classes is not None:
            _require_classes(path, content, classes)
        network = _converted(path, content, onnx2pytorch)
        _require_same(path, network, content.graph.input[0])
        return network

    return build


def _converted(path: Path, content: Any, onnx2pytorch: Any) -> nn.Module:
    prepare(content.graph)
    try:
        network = _quietly(onnx2pytorch, content)
    except Exception as error:  # converters raise whatever their operators do
        unread = unread_operators(content.graph, lambda graph: _quietly(onnx2pytorch, _of(content, graph)))
        reason = f"these operators cannot be read: {unread}" if unread else f"{type(error).__name__}: {error}"
        raise ValueError(
            f"{path}: not an ONNX file that onnx2pytorch can convert: {reason}; export the network without "
            "them, or give it in Python as file.py:function"
        ) from error
    del network.onnx_model.graph.initializer[:]  # the weights are in its layers and buffers
    return network.eval()


def _of(content: Any, graph: Any) -> Any:
    model = type(content)()
    model.opset_import.extend(content.opset_import)
    model.ir_version = content.ir_version
    model.graph.CopyFrom(graph)
    return model


def _quietly(onnx2pytorch: Any, content: Any) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that weights are read from memory that cannot be written
        return onnx2pytorch.ConvertModel(content)


def _packages(path: Path) -> tuple[Any, Any]:
    try:
        import onnx
        import onnx2pytorch
    except ImportError as error:
        raise ValueError(
            f"{path}: an ONNX file becomes a network by onnx2pytorch, and {error.name} is not installed; "
            "pip install 'deltadistill[onnx]'"
        ) from None
    return onnx, onnx2pytorch


def _require_classes(path: Path, content: Any, classes: int) -> None:
    """Where the file says how many channels its first output has, they are the classes."""
    axes = content.graph.output[0].type.tensor_type.shape.dim
    found = axes[1].dim_value if len(axes) > 1 else 0  # 0 where the file leaves it open
    if found not in (0, classes):
        raise ValueError(f"{path}: its first output has {found} channels, where {classes} classes are needed")


@torch.no_grad()
def _require_same(path: Path, network: nn.Module, entry: Any) -> None:
    """ValueError where the network gives something else than ONNX Runtime does, on one frame of noise."""
    try:
        import onnxruntime
    except ImportError:
        return  # docs/command.md says so: nothing to compare with
    if entry.type.tensor_type.elem_type != _FLOAT:
        return
    frame = np.random.default_rng(0).normal(size=_shape(entry)).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    expected = session.run(None, {session.get_inputs()[0].name: frame})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [leaf.numpy() for leaf in tree_leaves(network(torch.from_numpy(frame)))]
    for value, other in zip(found, expected, strict=True):
        most = max(float(np.abs(other).max(initial=0)), 1e-6)
        apart = float(np.abs(value - other).max(initial=0)) / most if value.shape == other.shape else np.inf
        if not apart <= _CLOSE:
            raise ValueError(
                f"{path}: as a network of PyTorch it gives something else than in ONNX Runtime (apart by "
                f"{apart:.2g} of the largest value, {_CLOSE} at most); give it in Python as file.py:function"
            )


def _shape(entry: Any) -> tuple[int, ...]:
    """Of one frame; 1, 3 and a small size where the file leaves an axis open."""
    given = [axis.dim_value for axis in entry.type.tensor_type.shape.dim]
    return tuple(extent or (1, 3, _FREE, _FREE)[min(place, 3)] for place, extent in enumerate(given))
