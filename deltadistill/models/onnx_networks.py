"""ONNX files as networks of PyTorch, made by onnx2torch, which is needed for them alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn


def find(name: str) -> Callable[..., nn.Module]:
    """Return the builder of the ONNX file `name`; ValueError where it is not there or cannot be read.

    The network has the weights of the file, and takes and returns what the file says: frames (N, 3, H, W)
    and, as its first output, scores of as many classes as are asked for.
    """
    path = Path(name)
    if not path.is_file():
        raise ValueError(f"model {name!r}: there is no ONNX file {path} in {Path.cwd()}")

    def build(*, classes: int) -> nn.Module:
        onnx, onnx2torch = _packages(path)
        try:
            content = onnx.load(path)
            network = onnx2torch.convert(content)
        except Exception as error:  # either package raises kinds of its own, none of which says which file
            raise ValueError(f"{path}: not an ONNX file that onnx2torch can convert: {error}") from error
        _require_classes(path, content, classes)
        return network

    return build


def _packages(path: Path) -> tuple[Any, Any]:
    try:
        import onnx
        import onnx2torch
    except ImportError as error:
        raise ValueError(
            f"{path}: an ONNX file becomes a network by onnx2torch, and {error.name} is not installed; "
            "pip install onnx2torch"
        ) from None
    return onnx, onnx2torch


def _require_classes(path: Path, content: Any, classes: int) -> None:
    """Where the file says how many channels its first output has, they are the classes."""
    axes = content.graph.output[0].type.tensor_type.shape.dim
    found = axes[1].dim_value if len(axes) > 1 else 0  # 0 where the file leaves it open
    if found not in (0, classes):
        raise ValueError(f"{path}: its first output has {found} channels, where {classes} classes are needed")
