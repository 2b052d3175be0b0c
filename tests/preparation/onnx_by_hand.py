"""A small ONNX file written byte by byte, so that no exporter is needed: one 1×1 convolution."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

_FLOAT = 1  # of TensorProto.DataType


def write_convolution(
    path: Path, weights: np.ndarray, axes: Sequence[int | str], *, element: int = _FLOAT
) -> None:
    """The network y = weights · x per pixel; weights float32 (K, C).

    axes: of the input, a number where an axis has a fixed extent and a name where it is free.
    """
    classes, channels = weights.shape
    initial = b"".join(_number(1, n) for n in (classes, channels, 1, 1)) + _number(2, _FLOAT)
    initial += _text(8, "w") + _part(9, weights.astype("<f4").tobytes())
    node = _text(1, "x") + _text(1, "w") + _text(2, "y") + _text(4, "Conv")
    graph = _part(1, node) + _text(2, "by hand") + _part(5, initial)
    graph += _part(11, _value("x", axes, element))
    graph += _part(12, _value("y", [axes[0], classes, *axes[2:]], element))
    opset = _text(1, "") + _number(2, 13)
    path.write_bytes(_number(1, 8) + _part(7, graph) + _part(8, opset))


def _value(name: str, axes: Sequence[int | str], element: int) -> bytes:
    extents = (_number(1, axis) if isinstance(axis, int) else _text(2, axis) for axis in axes)
    shape = b"".join(_part(1, extent) for extent in extents)
    return _text(1, name) + _part(2, _part(1, _number(1, element) + _part(2, shape)))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _text(field: int, value: str) -> bytes:
    return _part(field, value.encode())


def _part(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + _varint(rest) if rest else bytes([low])
