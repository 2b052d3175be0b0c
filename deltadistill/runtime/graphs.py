"""The graphs of a delta network as an engine gets them: files or functions, and what goes in and out."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from deltadistill.runtime.tensor_form import TensorForm


@dataclass(frozen=True)
class Graphs:
    """What every engine is given; each takes what it can run, by function ("frame", "key", "delta").

    onnx, int8, packages: files of the functions; int8: ONNX too, in 8 bits.
    functions: PyTorch modules of them, in a process that has it.
    frame, outputs, maps: forms of what they take and return. joined: by map, the maps that it stands for,
        where some are only ever summed. moved: names of the maps that go where the picture has gone, before a
        delta frame whose motion is given. sizes: what the axes of any size have in frames that the graphs
        were made with, by name.
    """

    frame: TensorForm
    outputs: tuple[TensorForm, ...]
    maps: tuple[TensorForm, ...]
    onnx: Mapping[str, Path] = field(default_factory=dict)
    int8: Mapping[str, Path] = field(default_factory=dict)
    packages: Mapping[str, Path] = field(default_factory=dict)
    functions: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    moved: frozenset[str] = frozenset()
    joined: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def state_bytes(self) -> int:
        """Memory of the maps of one frame, bytes, as they are described."""
        return bytes_of(self.maps, self.sizes)

    def of_precision(self, precision: str) -> "Graphs":
        """The same with the ONNX files that compute so: those in 8 bits for "int8"."""
        return replace(self, onnx=self.int8) if precision == "int8" else self

    def reason_against_onnx(self, precision: str) -> str | None:
        """Why engines that read ONNX have no files for a precision; None where they have."""
        if self.of_precision(precision).onnx:
            return None
        if precision == "int8":
            return "there are no graphs in 8 bits: dd.export(…, calibration=frames) writes them"
        return "there are no ONNX files of the graphs"


def bytes_of(maps: Iterable[TensorForm], sizes: Mapping[str, int]) -> int:
    """Memory of maps, bytes, whose axes of any size have these."""
    return sum(math.prod(form.shape_at(sizes)) * np.dtype(form.dtype).itemsize for form in maps)


def noise(form: TensorForm, seed: int = 0, *, sizes: Mapping[str, int] | None = None) -> np.ndarray:
    """An array of the form to try a graph on; axes of any size are as in `sizes`, others 1."""
    generator = np.random.default_rng(seed)
    shape = form.shape_at(sizes or {})
    if form.dtype == "uint8":
        return generator.integers(0, 256, shape, dtype=np.uint8)
    return generator.standard_normal(shape).astype(form.dtype)
