"""PyTorch's own engines: as it is, compiled in this process, and compiled ahead as packages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from deltadistill.runtime.graphs import Graphs


class TorchEngine:
    """See `engine.Engine`. load: makes one function ready from the graphs."""

    def __init__(self, source: str, what: str, load: Callable[[Graphs, str], Any], precisions: Sequence[str]):
        self._source = source
        self._what = what
        self._load = load
        self._precisions = precisions

    def reason_against(self, graphs: Graphs, *, precision: str, device: str = "cpu") -> str | None:
        """See `engine.Engine`."""
        if find_spec("torch") is None:
            return "torch is not installed; pip install 'deltadistill[torch]'"
        if not getattr(graphs, self._source):
            return f"there are no {self._what}"
        if graphs.moved:
            return "it leaves maps where they are, and some of these are moved along with the picture"
        if precision not in self._precisions:
            return f"it computes in {' and '.join(self._precisions)} here, not in {precision}"
        return None

    def open(
        self, graphs: Graphs, *, threads: int | None = None, precision: str = "fp32", device: str = "cpu"
    ) -> TorchSession:
        """See `engine.Engine`."""
        return TorchSession(graphs, lambda name: self._load(graphs, name), threads, precision, device)


class TorchSession:
    """See `engine.Session`; maps are a tuple of tensors. Outputs are arrays, or tensors where frames are.

    A GPU computes while the caller goes on: nothing here waits for it, and nothing leaves it but outputs that
    are asked for as arrays.
    """

    def __init__(
        self,
        graphs: Graphs,
        load: Callable[[str], Any],
        threads: int | None,
        precision: str,
        device: str,
    ):
        self._count = len(graphs.outputs)
        self._load = load
        self._threads = threads
        self._precision = precision
        self._device = device
        self._loaded: dict[str, Any] = {}

    def frame(self, frame: Any) -> Sequence[Any]:
        """See `engine.Session`."""
        return self._run("frame", frame)[0]

    def key(self, frame: Any, *, into: Any = None) -> tuple[Sequence[Any], Any]:
        """See `engine.Session`; `into` is not needed, as PyTorch takes freed memory again."""
        return self._run("key", frame)

    def delta(self, frame: Any, maps: Any) -> Sequence[Any]:
        """See `engine.Session`."""
        return self._run("delta", frame, *maps)[0]

    def _run(self, name: str, frame: Any, *maps: Any) -> tuple[Sequence[Any], Any]:
        import torch

        given = torch.from_numpy(np.ascontiguousarray(frame)) if isinstance(frame, np.ndarray) else frame
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        if self._threads is not None and torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)
        narrow = torch.autocast(
            self._device, dtype=torch.bfloat16, enabled=self._precision == "bf16", cache_enabled=False
        )
        with torch.inference_mode(), narrow:
            results = self._loaded[name](given.to(self._device), *maps)
        outputs, made = results[: self._count], tuple(results[self._count :])
        return [_as(given, frame, output) for output in outputs], made


def _as(given: Any, frame: Any, output: Any) -> Any:
    """An output in the form that the frame had: an array for an array; of its type, where it is of floats."""
    if given.is_floating_point() and output.is_floating_point():
        output = output.to(given.dtype)
    elif output.is_floating_point() and output.dtype.itemsize < 4:
        output = output.float()
    return output.cpu().numpy() if isinstance(frame, np.ndarray) else output


def _function(graphs: Graphs, name: str) -> Any:
    return graphs.functions[name]


def _compiled(graphs: Graphs, name: str) -> Any:
    import torch

    function = graphs.functions[name]
    device = next((p.device.type for p in function.parameters()), "cpu")
    # CUDA graphs replay into the same memory: outputs are cloned, so that the next frame changes none.
    mode = {"mode": "reduce-overhead"} if device == "cuda" else {}
    compiled = torch.compile(function, dynamic=False, fullgraph=False, **mode)
    return _cloned(compiled) if mode else compiled


def _cloned(compiled: Any) -> Any:
    return lambda *inputs: tuple(output.clone() for output in compiled(*inputs))


def _package(graphs: Graphs, name: str) -> Any:
    import torch

    return torch._inductor.aoti_load_package(str(graphs.packages[name]))


_MODULES = "functions in memory: they come from a network, not from a folder"

EAGER = TorchEngine("functions", _MODULES, _function, ("fp32", "bf16"))
COMPILE = TorchEngine("functions", _MODULES, _compiled, ("fp32", "bf16"))
PACKAGE = TorchEngine(
    "packages", "packages in this folder: dd.export(…, packages=True) writes them", _package, ("fp32",)
)
