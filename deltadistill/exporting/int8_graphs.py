"""Graphs in 8 bits: ranges of values are those that a stream's key and delta frames have on a real video."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from deltadistill.runtime.graphs import Graphs

_MOST_FRAMES = 200  # of one function: ranges hardly change any more, and all are held in memory

Inputs = Mapping[str, np.ndarray]


def write_int8(graphs: Graphs, frames: Sequence[np.ndarray], folder: Path, *, period: int) -> dict[str, Path]:
    """Write frame.int8.onnx, key.int8.onnx and delta.int8.onnx, and return their paths by function.

    frames: of one video in order, each as the graphs take it; those that a stream of this period has as key
        frames calibrate the key graph, the others, with the maps of their key frame, the delta graph.
    Raises ValueError where there are too few frames for a delta frame among them.
    """
    if len(frames) < 2 or period < 2:
        raise ValueError(
            f"{len(frames)} calibration frame(s) at period {period} have no delta frame; give at least two "
            "frames of one video in order, and a period of at least 2"
        )
    written = {}
    for name, inputs in _inputs(graphs, frames, period).items():
        written[name] = folder / f"{name}.int8.onnx"
        _quantise(graphs.onnx[name], written[name], inputs)
    return written


def _inputs(graphs: Graphs, frames: Sequence[np.ndarray], period: int) -> dict[str, list[Inputs]]:
    """What each function is given over the video."""
    import onnxruntime

    key = onnxruntime.InferenceSession(str(graphs.onnx["key"]), providers=["CPUExecutionProvider"])
    names = [each.name for each in graphs.maps]
    found: dict[str, list[Inputs]] = {"frame": [], "key": [], "delta": []}
    maps: dict[str, np.ndarray] = {}
    for number, frame in enumerate(islice(frames, _MOST_FRAMES)):
        given = {graphs.frame.name: frame}
        found["frame"].append(given)
        if number % period == 0:
            found["key"].append(given)
            maps = dict(zip(names, key.run(names, given), strict=True)) if names else {}
        else:
            found["delta"].append(given | maps)
    return found


def _quantise(path: Path, to: Path, inputs: list[Inputs]) -> None:
    """By ONNX Runtime's own quantiser: signed weights per channel, activations between their extremes."""
    from onnxruntime import quantization

    before = logging.root.manager.disable
    logging.disable(logging.WARNING)  # it advises a preparation of the graph that these have had
    try:
        quantization.quantize_static(
            str(path),
            str(to),
            _reader(inputs),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            nodes_to_exclude=_norms_of_joined(path),
        )
    finally:
        logging.disable(before)


def _norms_of_joined(path: Path) -> list[str]:
    """Names of batch norms that follow a concatenation directly, and of these: both stay in floats.

    OpenVINO (2026.4.1) takes such a norm for a dequantization, moves it before the concatenation, and ends
    the process by a bad address in compile_model.
    """
    import onnx

    nodes = onnx.load(path, load_external_data=False).graph.node
    joined = {node.output[0]: node.name for node in nodes if node.op_type == "Concat"}
    norms = [node for node in nodes if node.op_type == "BatchNormalization" and node.input[0] in joined]
    return [name for norm in norms for name in (norm.name, joined[norm.input[0]])]


def _reader(inputs: list[Inputs]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        """Hands out the inputs one by one."""

        def __init__(self) -> None:
            self._left: Iterator[Inputs] = iter(inputs)

        def get_next(self) -> Any:
            """See CalibrationDataReader."""
            return next(self._left, None)

    return Reader()
