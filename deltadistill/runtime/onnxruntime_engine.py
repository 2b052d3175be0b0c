"""ONNX Runtime: maps stay where it made them, bound as inputs of the delta graph without a copy."""

import ctypes
import logging
import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from deltadistill.account.machine import usable_cores
from deltadistill.motion.cells import CellMotion
from deltadistill.runtime.blocked_maps import agree, blocked_graphs, blocks_of
from deltadistill.runtime.graphs import Graphs, noise
from deltadistill.runtime.moving_maps import Lying, channels_first, moved

_log = logging.getLogger(__name__)

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_PRECISIONS = ("fp32", "int8")


class OnnxRuntime:
    """See `engine.Engine`."""

    def reason_against(self, graphs: Graphs, *, precision: str, device: str = "cpu") -> str | None:
        """See `engine.Engine`."""
        if find_spec("onnxruntime") is None:
            return "onnxruntime is not installed; pip install 'deltadistill[onnxruntime]'"
        if precision not in _PRECISIONS:
            return f"its processor kernels compute in {' and '.join(_PRECISIONS)}, not in {precision}"
        if reason := graphs.reason_against_onnx(precision):
            return reason
        if graphs.moved and device != "cpu":
            return f"maps are moved along with the picture on the processor, not on {device}"
        import onnxruntime

        if _PROVIDERS[device] not in onnxruntime.get_available_providers():
            return f"this onnxruntime has no {_PROVIDERS[device]}; pip install onnxruntime-gpu"
        return None

    def open(
        self, graphs: Graphs, *, threads: int | None = None, precision: str = "fp32", device: str = "cpu"
    ) -> "OnnxSession":
        """See `engine.Engine`."""
        return OnnxSession(graphs.of_precision(precision), _Loader(threads, device), device)


class OnnxSession:
    """See `engine.Session`; maps are a list of values on the device. Graphs are loaded when first used."""

    def __init__(self, graphs: Graphs, loader: "_Loader", device: str):
        self._graphs = graphs
        self._loader = loader
        self._device = device
        self._loaded: dict[str, Any] = {}
        self._outputs = [output.name for output in graphs.outputs]
        self._maps = [each.name for each in graphs.maps]

    def frame(self, frame: np.ndarray) -> Sequence[np.ndarray]:
        """See `engine.Session`."""
        session = self.loaded("frame")
        return self._run(session, frame, (), ())[0]

    def key(self, frame: np.ndarray, *, into: Any = None) -> tuple[Sequence[np.ndarray], Any]:
        """See `engine.Session`."""
        return self._run(self.loaded("key"), frame, (), into or (), maps_out=True)

    def delta(self, frame: np.ndarray, maps: Any, motions: Sequence[CellMotion] = ()) -> Sequence[np.ndarray]:
        """See `engine.Session`."""
        session = self.loaded("delta")
        with moved(self._lying(maps) if motions else (), motions):
            return self._run(session, frame, maps, ())[0]

    def _lying(self, maps: Any) -> Iterator[Lying]:
        """The maps that are moved, as they lie: channels first, or in blocks."""
        blocked, block = self._blocks
        for name, value in zip(self._maps, maps, strict=True):
            if name in self._graphs.moved:
                yield channels_first(_memory(value), block=block if name in blocked else 1)

    @cached_property
    def _blocks(self) -> tuple[set[str], int]:
        return blocks_of(self.loaded("delta"))

    def loaded(self, name: str) -> Any:
        """ONNX Runtime's own session of a function."""
        if name not in self._loaded:
            if name == "frame":
                self._loaded[name] = self._loader.plain(self._graphs.onnx[name])
            else:
                self._loaded |= self._pair()
        return self._loaded[name]

    def _pair(self) -> dict[str, Any]:
        """Key and delta graph: with maps in blocks where that computes the same, else as they are."""
        plain = {name: self._loader.plain(self._graphs.onnx[name]) for name in ("key", "delta")}
        if self._device != "cpu" or not (blocked := self._loader.blocked(self._graphs)):
            return plain
        frame = noise(self._graphs.frame, sizes=self._graphs.sizes)
        if agree(self._two_frames(plain, frame), self._two_frames(blocked, frame)):
            return blocked
        _log.warning("maps in blocks give other outputs here, and are kept in plain order instead")
        return plain

    def _two_frames(self, pair: dict[str, Any], frame: np.ndarray) -> list[np.ndarray]:
        """Outputs of a key frame, and of a later one that differs from it."""
        outputs, maps = self._run(pair["key"], frame, (), (), maps_out=True)
        later, _ = self._run(pair["delta"], np.ascontiguousarray(frame[..., ::-1]), maps, ())
        return [*outputs, *later]

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


def _memory(value: Any) -> np.ndarray:
    """The floats of a value of the processor, to be changed where they lie; `numpy()` may be a copy."""
    shape = value.shape()
    floats = (ctypes.c_float * math.prod(shape)).from_address(value.data_ptr())
    return np.ctypeslib.as_array(floats).reshape(shape)


class _Loader:
    """Makes sessions of graphs: files as ONNX Runtime optimises them, or such as it has optimised."""

    def __init__(self, threads: int | None, device: str):
        self._threads = threads
        self._providers = [_PROVIDERS[device]]

    def plain(self, path: Path) -> Any:
        """A graph's file; ValueError for one that ONNX Runtime does not take."""
        try:
            return self._session(str(path), self._options())
        except Exception as error:  # its errors are bare C++ ones; whatever it says names operator and node
            raise ValueError(f"ONNX Runtime cannot load {path}: {str(error).strip()[:500]}") from None

    def blocked(self, graphs: Graphs) -> dict[str, Any]:
        """Key and delta graph with maps in blocks; nothing where there are none (see blocked_maps)."""
        import onnxruntime

        made = {}
        for name, content in blocked_graphs(graphs, self._optimise).items():
            options = self._options()
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            made[name] = self._session(content, options)
        return made

    def _optimise(self, content: bytes, path: Path) -> None:
        options = self._options()
        options.optimized_model_filepath = str(path)
        self._session(content, options)

    def _session(self, content: str | bytes, options: Any) -> Any:
        import onnxruntime

        return onnxruntime.InferenceSession(content, options, providers=self._providers)

    def _options(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads or usable_cores()
        # Idle threads that spin take the time of whatever else runs: a second runner, the video's reader.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        return options


ENGINE = OnnxRuntime()
