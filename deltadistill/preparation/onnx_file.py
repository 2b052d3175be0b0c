"""ONNX files as networks, run by ONNX Runtime, which is needed for them alone."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_RUN_BY = ("CUDAExecutionProvider", "CPUExecutionProvider")
_SMALLEST = 1e-30  # a probability of 0 has no logarithm


def open_onnx(path: Path, *, gives: str) -> Callable[[Tensor], Tensor]:
    """Open a file whose one input is frames (N, 3, h, w), and the first output scores (N, K, …).

    gives: what these are, "logits" or "probabilities"; returned are logits, on the processor. A file made
    for single frames gets one after another.
    Raises ValueError, which names the file, where it cannot be run; what is called raises it for frames of
    another size than the file was made for.
    """
    session = _session(path)
    entry = session.get_inputs()[0]
    _require_frames(path, session.get_inputs())
    first = session.get_outputs()[0].name

    def forward(frames: Tensor) -> Tensor:
        _require_size(path, entry.shape[2:], tuple(frames.shape[2:]))
        parts = frames.split(1 if entry.shape[0] == 1 else len(frames))
        found = [session.run([first], {entry.name: part.cpu().numpy()})[0] for part in parts]
        scores = torch.cat([torch.from_numpy(part) for part in found])
        return scores if gives == "logits" else scores.clamp_min(_SMALLEST).log()

    return forward


def _session(path: Path) -> Any:
    if not path.is_file():
        raise ValueError(f"{path}: no such ONNX file")
    try:
        import onnxruntime
    except ImportError:
        raise ValueError(
            f"{path}: an ONNX file is run by ONNX Runtime, which is not installed; "
            "pip install onnxruntime (or onnxruntime-gpu)"
        ) from None
    try:
        there = onnxruntime.get_available_providers()
        return onnxruntime.InferenceSession(str(path), providers=[way for way in _RUN_BY if way in there])
    except Exception as error:  # ONNX Runtime raises kinds of its own, none of which says which file
        raise ValueError(f"{path}: not an ONNX file that can be run: {error}") from error


def _require_frames(path: Path, inputs: Sequence[Any]) -> None:
    """One input of float32 frames, one or any number of them; an axis of any extent has a name, or None."""
    batch, *axes = inputs[0].shape
    fits = len(axes) == 3 and axes[0] == 3 and inputs[0].type == "tensor(float)"
    if len(inputs) != 1 or not fits or (isinstance(batch, int) and batch != 1):
        found = ", ".join(f"{given.name} {given.type} {given.shape}" for given in inputs)
        raise ValueError(
            f"{path}: one input of float32 frames is expected, (1, 3, h, w) or (N, 3, h, w) with any N; the "
            f"file has {found}"
        )


def _require_size(path: Path, made_for: Sequence[Any], given: tuple[int, int]) -> None:
    if any(
        isinstance(extent, int) and extent != found for extent, found in zip(made_for, given, strict=True)
    ):
        raise ValueError(
            f"{path}: the file was made for frames of {made_for[0]}×{made_for[1]}, these are "
            f"{given[0]}×{given[1]}; set label_frames.size: [{made_for[0]}, {made_for[1]}]"
        )
