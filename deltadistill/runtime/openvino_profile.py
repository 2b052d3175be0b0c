"""OpenVINO's own profile: what each node took, in the graphs as it runs them."""

from __future__ import annotations

from typing import Any

from deltadistill.runtime.graphs import Graphs
from deltadistill.runtime.node_times import NodeTime, Profile, quiet, rounds
from deltadistill.runtime.openvino_engine import OpenVinoSession

_FUNCTIONS = ("frame", "key", "delta")


def profile(graphs: Graphs, *, threads: int | None, precision: str, device: str, runs: int) -> Profile:
    """See `node_times.Profiling`."""
    graphs = graphs.of_precision(precision)
    session = OpenVinoSession(graphs, threads=threads, precision=precision, counting=True)
    taken: dict[str, dict[str, list[float]]] = {name: {} for name in _FUNCTIONS}
    for _ in rounds(session, graphs, runs):
        for name, nodes in taken.items():
            for node in session.request(name).profiling_info:
                milliseconds = node.real_time.total_seconds() * 1000
                nodes.setdefault(node.node_name, []).append(milliseconds)
    return {name: _node_times(session.request(name), nodes) for name, nodes in taken.items()}


def _node_times(request: Any, taken: dict[str, list[float]]) -> list[NodeTime]:
    parts = _parts(request)
    return [
        NodeTime(parts.get(name) or _about(name), quiet(samples))
        for name, samples in taken.items()
        if quiet(samples) > 0  # what was folded away took none
    ]


def _parts(request: Any) -> dict[str, tuple[str, ...]]:
    """Names of all that a node computes, by its own."""
    found = {}
    for node in request.get_compiled_model().get_runtime_model().get_ordered_ops():
        information = node.get_rt_info()
        if "originalLayersNames" in information:
            listed = information["originalLayersNames"].astype(str)
            found[node.get_friendly_name()] = tuple(name for name in listed.split(",") if name)
    return found


def _about(name: str) -> tuple[str, ...]:
    """Of a reorder, whose name is made of what it turns, of both orders and of the node that reads it."""
    return (name, name[name.index("/") :]) if "/" in name else (name,)
