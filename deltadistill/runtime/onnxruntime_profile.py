"""ONNX Runtime's own profile: what each node took, in the graphs as it runs them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from deltadistill.runtime.graphs import Graphs
from deltadistill.runtime.node_times import NodeTime, Profile, quiet, rounds
from deltadistill.runtime.onnxruntime_engine import OnnxSession, _Loader

_KERNEL = "_kernel_time"
_BLOCKED = "_nchwc"  # ends the names of what computes in blocks of channels


def profile(graphs: Graphs, *, threads: int | None, precision: str, device: str, runs: int) -> Profile:
    """See `node_times.Profiling`."""
    with TemporaryDirectory(prefix="deltadistill-") as folder:
        loader = _ProfilingLoader(threads, device, Path(folder))
        session = OnnxSession(graphs.of_precision(precision), loader, device)
        for _ in rounds(session, graphs, runs):
            pass
        return {
            name: _node_times(session.loaded(name), loader, runs=runs) for name in ("frame", "key", "delta")
        }


class _ProfilingLoader(_Loader):
    """Sessions that take down the time of every node, and the graph as it runs."""

    def __init__(self, threads: int | None, device: str, folder: Path):
        super().__init__(threads, device)
        self._folder = folder
        self._numbers = count()
        self.optimised: dict[int, Path] = {}  # by the identity of a session

    def _options(self) -> Any:
        options = super()._options()
        options.enable_profiling = True
        options.profile_file_prefix = str(self._folder / f"profile{next(self._numbers)}")
        return options

    def _session(self, content: str | bytes, options: Any) -> Any:
        if not options.optimized_model_filepath:
            options.optimized_model_filepath = str(self._folder / f"graph{next(self._numbers)}.onnx")
        session = super()._session(content, options)
        self.optimised[id(session)] = Path(options.optimized_model_filepath)
        return session


def _node_times(session: Any, loader: _ProfilingLoader, *, runs: int) -> list[NodeTime]:
    """Times of the last `runs` runs: those before made the session ready."""
    events = json.loads(Path(session.end_profiling()).read_text())
    last = list(_runs(events))[-runs:]
    near = dict(_nodes_beside_reorders(loader.optimised[id(session)]))
    return [
        NodeTime(near.get(name, (name.removesuffix(_BLOCKED),)), quiet([run.get(name, 0.0) for run in last]))
        for name in last[-1]
    ]


def _runs(events: list[dict[str, Any]]) -> Iterator[dict[str, float]]:
    """Of every run the milliseconds by node."""
    run: dict[str, float] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(_KERNEL):
            name = event["name"].removesuffix(_KERNEL)
            run[name] = run.get(name, 0.0) + event["dur"] / 1000
        elif event["name"] == "model_run":
            yield run
            run = {}


def _nodes_beside_reorders(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """For every reorder, which has no name of its own: the node that made what it turns, or reads it then."""
    from importlib.util import find_spec

    if find_spec("onnx") is None:
        return
    import onnx

    nodes = onnx.load(path, load_external_data=False).graph.node
    makers = {output: node for node in nodes for output in node.output}
    for node in nodes:
        if node.op_type == "ReorderOutput" and node.input[0] in makers:
            yield node.name, (makers[node.input[0]].name.removesuffix(_BLOCKED),)
        if node.op_type == "ReorderInput":
            readers = [each for each in nodes if node.output[0] in each.input]
            yield node.name, (node.input[0], *(each.name.removesuffix(_BLOCKED) for each in readers))
