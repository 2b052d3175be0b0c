"""OpenVINO: key and delta graph share the memory of the maps, in the precision that it computes in."""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from deltadistill.motion.cells import CellMotion
from deltadistill.runtime.graphs import Graphs
from deltadistill.runtime.moving_maps import Lying, channels_last, moved

_HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}


class OpenVino:
    """See `engine.Engine`."""

    def reason_against(self, graphs: Graphs, *, precision: str, device: str = "cpu") -> str | None:
        """See `engine.Engine`."""
        if find_spec("openvino") is None:
            return "openvino is not installed; pip install 'deltadistill[openvino]'"
        if reason := graphs.reason_against_onnx(precision):
            return reason
        if device != "cpu":
            return f"it is set up for processors here, not for {device}"
        if precision == "bf16" and "BF16" not in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            return "this processor has no bf16"
        return None

    def open(
        self, graphs: Graphs, *, threads: int | None = None, precision: str = "fp32", device: str = "cpu"
    ) -> "OpenVinoSession":
        """See `engine.Engine`."""
        return OpenVinoSession(graphs.of_precision(precision), threads=threads, precision=precision)


class OpenVinoSession:
    """See `engine.Session`; maps are a list of tensors. Graphs are compiled when first used.

    counting: every request also takes down the time of its nodes.
    """

    def __init__(self, graphs: Graphs, *, threads: int | None, precision: str, counting: bool = False):
        self._graphs = graphs
        self._counting = counting
        self._threads = threads
        self._precision = precision
        self._requests: dict[str, Any] = {}

    def frame(self, frame: np.ndarray) -> Sequence[np.ndarray]:
        """See `engine.Session`."""
        return self._outputs(self._infer("frame", frame))

    def key(self, frame: np.ndarray, *, into: Any = None) -> tuple[Sequence[np.ndarray], Any]:
        """See `engine.Session`."""
        maps = self._new_maps() if into is None else into
        request = self.request("key")
        for number, tensor in enumerate(maps, start=len(self._graphs.outputs)):
            request.set_output_tensor(number, tensor)
        return self._outputs(self._infer("key", frame)), maps

    def delta(self, frame: np.ndarray, maps: Any, motions: Sequence[CellMotion] = ()) -> Sequence[np.ndarray]:
        """See `engine.Session`."""
        request = self.request("delta")
        for number, tensor in enumerate(maps, start=1):
            request.set_input_tensor(number, tensor)
        with moved(self._lying(maps) if motions else (), motions):
            return self._outputs(self._infer("delta", frame))

    def _lying(self, maps: Any) -> Iterator[Lying]:
        """The maps that are moved, as they lie: channels last."""
        for form, tensor in zip(self._graphs.maps, maps, strict=True):
            if form.name in self._graphs.moved:
                values = tensor.data
                yield channels_last(values.view(np.uint16) if values.itemsize == 2 else values)

    def _infer(self, name: str, frame: np.ndarray) -> Any:
        import openvino

        request = self.request(name)
        plain = np.ascontiguousarray(frame)  # has a name, as the tensor does not keep its memory alive
        request.set_input_tensor(0, openvino.Tensor(plain, shared_memory=True))
        request.infer()
        return request

    def _outputs(self, request: Any) -> list[np.ndarray]:
        return [request.get_output_tensor(number).data.copy() for number in range(len(self._graphs.outputs))]

    def _new_maps(self) -> list[Any]:
        import openvino

        compiled = self.request("key").get_compiled_model()
        first = len(self._graphs.outputs)
        return [openvino.Tensor(port.element_type, _shape(port)) for port in compiled.outputs[first:]]

    def request(self, name: str) -> Any:
        """OpenVINO's own request of a function."""
        if name not in self._requests:
            self._requests[name] = self._compiled(name).create_infer_request()
        return self._requests[name]

    def _compiled(self, name: str) -> Any:
        path = self._graphs.onnx[name]
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": _HINTS[self._precision],  # never what it would choose by itself
        }
        if self._counting:
            settings["PERF_COUNT"] = True
        if self._threads:
            settings["INFERENCE_NUM_THREADS"] = self._threads
        try:
            model = _core().read_model(path)
            return _core().compile_model(self._with_maps_as_computed(model, name), "CPU", settings)
        except RuntimeError as error:
            raise ValueError(f"OpenVINO cannot compile {path}: {str(error).strip()[:500]}") from None

    def _with_maps_as_computed(self, model: Any, name: str) -> Any:
        """The model with maps of the type and order that it computes in, so that handing them on is free.

        Its convolutions keep channels last; maps in the graph's own order would be turned on every frame.
        """
        if name == "frame" or not self._graphs.maps:
            return model
        import openvino

        prepared = openvino.preprocess.PrePostProcessor(model)
        for each in self._graphs.maps:
            port = prepared.output(each.name) if name == "key" else prepared.input(each.name)
            if self._precision == "bf16" and each.dtype == "float32":
                port.tensor().set_element_type(openvino.Type.bf16)
            if len(each.shape) == 4:
                port.model().set_layout(openvino.Layout("NCHW"))
                port.tensor().set_layout(openvino.Layout("NHWC"))
        return prepared.build()


def _shape(port: Any) -> list[int]:
    """The shape of an output; 0 for sides of any length, which OpenVINO gives the tensor when it fills it."""
    return [0 if side.is_dynamic else side.get_length() for side in port.partial_shape]


def _core() -> Any:
    global _CORE
    if _CORE is None:
        import openvino

        _CORE = openvino.Core()
    return _CORE


_CORE: Any = None  # one for the process: it holds what it found out about the processor

ENGINE = OpenVino()
