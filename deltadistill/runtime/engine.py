"""What an engine is: it makes the graphs of a delta network ready on this machine.

The graphs keep nothing between two calls. What a delta frame needs of its key frame, the maps, the engine
keeps where it runs best and hands out as one thing that nobody else looks into; several videos can take
turns.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from deltadistill.motion.cells import CellMotion
from deltadistill.runtime.graphs import Graphs
from deltadistill.runtime.registry import ENGINES

PRECISIONS = ("fp32", "bf16", "int8")
DEVICES = ("cpu", "cuda")

Maps = Any
"""Maps of one key frame, in the engine's own form."""

Arrays = Sequence[np.ndarray]


class Session(Protocol):
    """Graphs made ready. What it returns stays as it is when the next frame is computed."""

    def frame(self, frame: np.ndarray) -> Arrays:
        """Outputs of a frame by the per-frame network."""

    def key(self, frame: np.ndarray, *, into: Maps | None = None) -> tuple[Arrays, Maps]:
        """Outputs and maps of a key frame. into: maps that nobody needs any longer, for their memory."""

    def delta(self, frame: np.ndarray, maps: Maps, motions: Sequence[CellMotion] = ()) -> Arrays:
        """Outputs of a later frame, from the maps of its key frame, which stay as they are.

        motions: since the key frame, of each frame of the batch: the maps `graphs.moved` are moved along. An
            engine that moves none says so in `reason_against`; it is then not asked with any.
        """


class Engine(Protocol):
    """A module of functions; an entry of ENGINES, or a user's own as package.module:name."""

    def reason_against(self, graphs: Graphs, *, precision: str, device: str) -> str | None:
        """Why it cannot run here; None where it can."""

    def open(self, graphs: Graphs, *, threads: int | None, precision: str, device: str) -> Session:
        """Make the graphs ready.

        threads: at most so many; None: as many as there are cores. device: "cpu" or "cuda".

        Raises ValueError, with the operator and its layer, for a graph that the engine does not run.
        """


def open_session(
    graphs: Graphs,
    engine: str,
    *,
    threads: int | None = None,
    precision: str = "fp32",
    device: str = "cpu",
) -> Session:
    """Make graphs ready by the engine of this name.

    precision: of the arithmetic: "fp32", "bf16" or "int8"; frames and outputs stay as they are.
    Raises ValueError for a name that is not known and for what the engine cannot run, with the reason.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision {precision!r} is unknown; allowed: {', '.join(PRECISIONS)}")
    if threads is not None and threads < 1:
        raise ValueError(f"threads {threads} must be at least 1, or None for as many as there are cores")
    if device not in DEVICES:
        raise ValueError(f"device {device!r} is unknown; allowed: {', '.join(DEVICES)}")
    found: Engine = ENGINES.find(engine)
    if reason := found.reason_against(graphs, precision=precision, device=device):
        raise ValueError(f"the engine {engine!r} cannot run here: {reason}")
    return found.open(graphs, threads=threads, precision=precision, device=device)


def engines_for(
    graphs: Graphs,
    *,
    precision: str = "fp32",
    device: str = "cpu",
    engines: Iterable[str] = ENGINES,
) -> tuple[list[str], dict[str, str]]:
    """The engines that can run the graphs here, and of the others the reason why not.

    engines: their names, a user's own too; by default all that are built in.
    """
    can: list[str] = []
    cannot: dict[str, str] = {}
    for name in engines:
        if reason := ENGINES.find(name).reason_against(graphs, precision=precision, device=device):
            cannot[name] = reason
        else:
            can.append(name)
    return can, cannot
