"""The process in which engines prove themselves (proving.py): it opens graphs, runs them, and says so."""

import json
import os
import pickle
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from deltadistill.runtime.engine import Session, open_session
from deltadistill.runtime.graphs import Graphs, noise

_FRAMES = 2  # first answers, and those of a session that is warm


def main() -> None:
    """Read what is to be opened, and write a line for each: null, or what was raised, as JSON.

    What engines print themselves goes to where errors go.
    """
    graphs, names, settings = pickle.load(sys.stdin.buffer)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    _die_first()
    for engine, precision in names:
        print(json.dumps(_error(graphs, engine, precision, settings)), file=answers, flush=True)


def _error(graphs: Graphs, engine: str, precision: str, settings: Mapping[str, Any]) -> str | None:
    """What an engine raises when it opens the graphs and answers; None where it does not."""
    how = {"threads": settings["threads"], "precision": precision, "device": settings["device"]}
    try:
        answer(open_session(graphs, engine, **how), graphs, settings["functions"])
    except Exception as error:
        return f"{type(error).__name__}: {str(error).strip()[:500]}"
    return None


def answer(session: Session, graphs: Graphs, functions: Sequence[str]) -> None:
    """Have a session answer frames of noise, as a runner asks for them."""
    frame = noise(graphs.frame, sizes=graphs.sizes)
    maps = None
    for _ in range(_FRAMES):
        if "frame" in functions:
            session.frame(frame)
        if "key" in functions:
            maps = session.key(frame, into=maps)[1]
        if "delta" in functions:
            session.delta(frame, maps)


def _die_first() -> None:
    """Where memory runs out, Linux is to end this process, not the one with the work. No core is left."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    with suppress(ImportError, OSError, ValueError):
        import resource  # not on every system

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
