"""How long the parts of graphs take inside an engine, as it tells itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from deltadistill.runtime.engine import Session
from deltadistill.runtime.graphs import Graphs, noise
from deltadistill.runtime.registry import ENGINES, PROFILES


@dataclass(frozen=True)
class NodeTime:
    """What an engine computes in one go, milliseconds.

    names: of all that is in it, as the graph's file has them: nodes, or the tensors that they make. Where the
    engine turned a tensor into another order for a node, the names are that node's.
    """

    names: tuple[str, ...]
    milliseconds: float


Profile = Mapping[str, Sequence[NodeTime]]
"""Of each function ("frame", "key", "delta") what it is made of, in the order in which that runs."""


class Profiling(Protocol):
    """How an engine is asked for the times of its nodes: an entry of PROFILES, or `profile` of one's own."""

    def __call__(
        self, graphs: Graphs, *, threads: int | None, precision: str, device: str, runs: int
    ) -> Profile:
        """Run every function so many times, in turns, and tell the times of a run that nothing disturbed."""


def profile(
    graphs: Graphs,
    engine: str,
    *,
    threads: int | None = None,
    precision: str = "fp32",
    device: str = "cpu",
    runs: int = 20,
) -> Profile | None:
    """The times of nodes in the engine of this name; None where it cannot tell any."""
    ask: Profiling | None = getattr(ENGINES.find(engine), "profile", None)
    if engine in PROFILES.entries:
        ask = PROFILES.find(engine)
    if ask is None:
        return None
    return ask(graphs, threads=threads, precision=precision, device=device, runs=runs)


def quiet(milliseconds: Sequence[float]) -> float:
    """The time of a run that other work on the machine did not disturb: the least of several.

    A long call meets other work more often than a short one; by medians the whole would come out as far more
    than its parts on a busy machine.
    """
    return float(np.min(milliseconds))


def rounds(session: Session, graphs: Graphs, count: int) -> Iterator[None]:
    """Call all functions, one after another, on a frame of noise; so many times, each before it yields."""
    frame = noise(graphs.frame, sizes=graphs.sizes)
    _, maps = session.key(frame)
    for _ in range(count):
        session.frame(frame)
        _, maps = session.key(frame, into=maps)
        session.delta(frame, maps)
        yield
