"""ONNX Runtime: maps stay where it made them, bound as inputs of the delta graph without a copy."""

import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from deltadistill.runtime.graphs import Graphs

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_PRECISIONS = ("fp32", "int8")


class OnnxRuntime:
    """See `engine.Engine`."""

    def reason_against(self, graphs: Graphs, *, precision: str, device: str = "cpu") -> str | None:
        """See `engine.Engine`."""
        if find_spec("onnxruntime") is None:
            return "onnxruntime is not installed; pip install 'deltadistill[onnxruntime]'"
        if not graphs.onnx:
            return "there are no ONNX files of the graphs"
        if precision not in _PRECISIONS:
            return f"its processor kernels compute in {' and '.join(_PRECISIONS)}, not in {precision}"
        import onnxruntime

        if _PROVIDERS[device] not in onnxruntime.get_available_providers():
            return f"this onnxruntime has no {_PROVIDERS[device]}; pip install onnxruntime-gpu"
        return None

    def open(
        self, graphs: Graphs, *, threads: int | None = None, precision: str = "fp32", device: str = "cpu"
    ) -> "OnnxSession":
        """See `engine.Engine`."""
        return OnnxSession(graphs, lambda path: _inference(path, threads, device), device)


class OnnxSession:
    """See `engine.Session`; maps are a list of values on the device. Graphs are loaded when first used."""

    def __init__(self, graphs: Graphs, load: Callable[[Path], Any], device: str):
        self._graphs = graphs
        self._load = load
        self._device = device
        self._loaded: dict[str, Any] = {}
        self._outputs = [output.name for output in graphs.outputs]
        self._maps = [each.name for each in graphs.maps]

    def frame(self, frame: np.ndarray) -> Sequence[np.ndarray]:
        """See `engine.Session`."""
        session = self._session("frame")
        return self._run(session, frame, (), ())[0]

    def key(self, frame: np.ndarray, *, into: Any = None) -> tuple[Sequence[np.ndarray], Any]:
        """See `engine.Session`."""
        return self._run(self._session("key"), frame, (), into or (), maps_out=True)

    def delta(self, frame: np.ndarray, maps: Any) -> Sequence[np.ndarray]:
        """See `engine.Session`."""
        return self._run(self._session("delta"), frame, maps, ())[0]

    def _session(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = self._load(self._graphs.onnx[name])
        return self._loaded[name]

    def _run(
        self, session: Any, frame: np.ndarray, maps: Any, into: Any, *, maps_out: bool = False
    ) -> tuple[list[np.ndarray], list[Any]]:
        binding = session.io_binding()
        binding.bind_cpu_input(self._graphs.frame.name, np.ascontiguousarray(frame))
        for name, value in zip(self._maps, maps, strict=False):
            binding.bind_ortvalue_input(name, value)
        for name in self._outputs:
            binding.bind_output(name)
        if maps_out:
            self._bind_maps(binding, into)
        session.run_with_iobinding(binding)
        values = binding.get_outputs()
        count = len(self._outputs)
        return [value.numpy() for value in values[:count]], list(values[count:])

    def _bind_maps(self, binding: Any, into: Any) -> None:
        if into:
            for name, value in zip(self._maps, into, strict=True):
                binding.bind_ortvalue_output(name, value)
        else:
            for name in self._maps:
                binding.bind_output(name, self._device)


def _inference(path: Path, threads: int | None, device: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or _cores()
    # Idle threads that spin take the time of whatever else runs: a second runner, the reader of the video.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=[_PROVIDERS[device]])
    except Exception as error:  # its errors are bare C++ ones; whatever it says names operator and node
        raise ValueError(f"ONNX Runtime cannot load {path}: {str(error).strip()[:500]}") from None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


ENGINE = OnnxRuntime()
