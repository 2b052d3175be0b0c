"""Graphs in 8 bits beside those of a network, their ranges taken from the part of the video to learn from."""

from dataclasses import replace
from pathlib import Path

from deltadistill.acceleration.case import Case
from deltadistill.exporting.int8_graphs import write_int8
from deltadistill.exporting.running import Loaded

_FRAMES, _PERIOD = 16, 4  # of key frames there are fewer; their ranges are much like those of the others


def with_int8(case: Case, loaded: Loaded) -> None:
    """Write them, for sessions of the precision "int8".

    Raises ValueError with the reason where ONNX Runtime's quantiser does not take the network.
    """
    folder = Path(next(iter(loaded.graphs.onnx.values()))).parent
    shot = max(case.parts.learning, key=len)
    step = max(1, len(shot) // _FRAMES)
    frames = [frame[None] for frame in shot.frames[:: min(step, 3)][:_FRAMES]]
    try:
        paths = write_int8(loaded.graphs, frames, folder, period=_PERIOD)
    except Exception as error:  # of whatever type, it tells of the operator that it stops at
        raise ValueError(f"ONNX Runtime does not quantise it: {str(error).strip()[:200]}") from None
    loaded.graphs = replace(loaded.graphs, int8=paths)
