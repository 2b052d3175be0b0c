"""The graphs of a delta network as an engine gets them: files or functions, and what goes in and out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from deltadistill.runtime.runner_file import TensorForm


@dataclass(frozen=True)
class Graphs:
    """What every engine is given; each takes what it can run, by function ("frame", "key", "delta").

    onnx, packages: files of the functions. functions: PyTorch modules of them, in a process that has it.
    frame, outputs, maps: forms of what they take and return.
    """

    frame: TensorForm
    outputs: tuple[TensorForm, ...]
    maps: tuple[TensorForm, ...]
    onnx: Mapping[str, Path] = field(default_factory=dict)
    packages: Mapping[str, Path] = field(default_factory=dict)
    functions: Mapping[str, Any] = field(default_factory=dict)


def noise(form: TensorForm, seed: int = 0) -> np.ndarray:
    """An array of the form to try a graph on; axes of any size are 1."""
    generator = np.random.default_rng(seed)
    shape = tuple(1 if isinstance(side, str) else side for side in form.shape)
    if form.dtype == "uint8":
        return generator.integers(0, 256, shape, dtype=np.uint8)
    return generator.standard_normal(shape).astype(form.dtype)
