"""Engines prove themselves in a process of their own, so that one that dies or hangs takes nothing with it.

Engines are native code: on a graph that one of them does not get along with it may end its process (a bad
address, an assertion, all memory taken) or never come back. No `except` is of any help then. So graphs are
opened and run once where only that process is lost, before this one opens them. It imports no PyTorch.
"""

import json
import logging
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from tempfile import TemporaryFile
from typing import IO, Any

from deltadistill.runtime.graphs import Graphs
from deltadistill.runtime.registry import ENGINES
from deltadistill.runtime.runner_file import FUNCTIONS

_log = logging.getLogger(__name__)

Name = tuple[str, str]
"""Engine and precision."""

SECONDS = 120.0  # for one engine to open and run what it is given
_TAIL = 2000  # bytes of what it said last
_CODE = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from deltadistill.runtime.proved import main; main()"
)


@dataclass(frozen=True)
class Failure:
    """Why an engine does not run graphs here, in words.

    is_late: it had no end, which may have been the machine's fault.
    """

    reason: str
    is_late: bool = False

    def __str__(self) -> str:
        return self.reason


def failures(
    graphs: Graphs,
    names: Iterable[Name],
    *,
    functions: Sequence[str] = FUNCTIONS,
    threads: int | None = None,
    device: str = "cpu",
    seconds: float = SECONDS,
) -> dict[Name, Failure]:
    """Those of these that do not open the graphs and answer, each with why; the others may be opened here.

    functions: of the graphs that will be called; "delta" comes with "key". seconds: for each of them.
    Engines that run what is in this process alone are taken on trust: it is PyTorch, which runs here anyway.
    """
    settings = {"functions": tuple(functions), "threads": threads, "device": device}
    left = [name for name in names if _reads_files(graphs, name, device)]
    found: dict[Name, Failure] = {}
    while left:
        failed = _first_failure(graphs, left, settings, seconds)
        if failed is None:
            return found
        number, failure = failed
        found[left[number]] = failure
        left = left[number + 1 :]
    return found


def require_it_runs(
    graphs: Graphs,
    engine: str,
    *,
    threads: int | None,
    precision: str,
    device: str,
    functions: Sequence[str] = FUNCTIONS,
    seconds: float = SECONDS,
) -> None:
    """Raise ValueError for graphs on which an engine fails; see `failures`."""
    names = [(engine, precision)]
    failed = failures(graphs, names, functions=functions, threads=threads, device=device, seconds=seconds)
    for why in failed.values():
        raise ValueError(f"the engine {engine!r} does not run this in {precision}: {why}")


def names_left(engines: Sequence[str], failed: Mapping[Name, Failure]) -> list[str]:
    """The engines that did not fail, of one precision; others are told of. ValueError where all failed."""
    reasons = {engine: why.reason for (engine, _), why in failed.items()}
    left = [engine for engine in engines if engine not in reasons]
    if not left:
        listed = "; ".join(f"{engine}: {reason}" for engine, reason in reasons.items())
        raise ValueError(f"no engine can run this here: {listed}")
    for engine, reason in reasons.items():
        _log.warning("the engine %r is left out: %s", engine, reason)
    return left


def _reads_files(graphs: Graphs, name: Name, device: str) -> bool:
    """Whether another process can open the same; what cannot be opened at all is said by who opens it."""
    engine, precision = name
    in_files = replace(graphs, functions={})
    return ENGINES.find(engine).reason_against(in_files, precision=precision, device=device) is None


def _first_failure(
    graphs: Graphs, names: Sequence[Name], settings: Mapping[str, Any], seconds: float
) -> tuple[int, Failure] | None:
    """The first that fails, by its number; whatever it was, its process is not asked again."""
    paths = [(ENGINES.path(engine), precision) for engine, precision in names]
    request = replace(graphs, functions={}), paths, settings
    with TemporaryFile() as asked, TemporaryFile() as said:
        asked.write(pickle.dumps(sys.path) + pickle.dumps(request))
        asked.seek(0)
        process = _started(asked, said)
        try:
            for number in range(len(names)):
                if failure := _failure(process, said, seconds):
                    return number, failure
        finally:  # on Ctrl-C too
            process.kill()
            process.communicate()
    return None


def _started(asked: IO[bytes], said: IO[bytes]) -> subprocess.Popen[bytes]:
    """In a session of its own: Ctrl-C reaches this process, which ends that one."""
    return subprocess.Popen(
        [sys.executable, "-c", _CODE],
        stdin=asked, stdout=subprocess.PIPE, stderr=said, bufsize=0, start_new_session=True,
    )  # fmt: skip


def _failure(process: subprocess.Popen[bytes], said: IO[bytes], seconds: float) -> Failure | None:
    """What became of the engine whose turn it is; None where it answered."""
    assert process.stdout is not None
    if not wait([process.stdout.fileno()], timeout=seconds):
        return Failure(
            f"it did not answer within {seconds:.0f} s of being given the graphs, and was stopped; if the "
            "machine was busy, try again",
            is_late=True,
        )
    line = process.stdout.readline()
    if not line.endswith(b"\n"):
        return Failure(_death(process.wait(), said))
    error = json.loads(line)
    return None if error is None else Failure(error)


def _death(code: int, said: IO[bytes]) -> str:
    """How a process ended that should have gone on, and its last words."""
    said.seek(max(0, said.seek(0, 2) - _TAIL))
    lines = said.read().decode(errors="replace").strip().splitlines()
    words = f" Its last words: {lines[-1][:300]}" if lines else ""
    how = _signalled(-code) if code < 0 else f"ended its process with exit code {code}"
    return (
        f"it {how} when it was given the graphs, in a process made to find that out: a fault of the engine, "
        f"or too little memory; another version of it may do.{words}"
    )


def _signalled(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = "unknown"
    of_memory = ", as a system out of memory sends it," if name == "SIGKILL" else ""
    return f"crashed by signal {number} ({name}){of_memory}"
