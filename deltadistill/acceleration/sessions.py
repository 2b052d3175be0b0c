"""Sessions of a network in the engines that can run it here, and have proved that they do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from deltadistill.acceleration.case import Case
from deltadistill.acceleration.timing import Name
from deltadistill.acceleration.trial import Trial
from deltadistill.exporting.running import Loaded
from deltadistill.runtime.engine import Session, engines_for, open_session
from deltadistill.runtime.proving import failures, require_it_runs
from deltadistill.runtime.registry import ENGINES


class NoEngineError(ValueError):
    """No engine runs a network at full precision; the message has each one's reason."""


@dataclass(frozen=True)
class Opened:
    """Sessions by engine and precision, and of those that failed in a process of their own, why."""

    sessions: Mapping[Name, Session]
    failed: Mapping[Name, str]


def require_trial_runs(case: Case, loaded: Loaded, trial: Trial) -> None:
    """Raise NoEngineError where a delta trial's engine fails on its graphs, in a process of its own."""
    how = {"threads": case.threads, "precision": trial.precision, "device": case.device}
    functions = ("frame",) if loaded.functions.is_plain else ("key", "delta")
    try:
        require_it_runs(loaded.graphs, trial.engine, functions=functions, **how)
    except ValueError as error:
        raise NoEngineError(f"{trial.name}: {error}") from None


def open_sessions(
    case: Case, loaded: Loaded, precisions: Sequence[str], *, functions: Sequence[str], seconds: float
) -> Opened:
    """Of the engines that the user named, or of all that run a runner's folder, without PyTorch.

    functions: that will be called. seconds: for each to open and answer.
    Raises NoEngineError where none does at full precision.
    """
    graphs = loaded.graphs if case.engines else replace(loaded.graphs, functions={})
    names: list[Name] = []
    cannot: dict[str, str] = {}
    for precision in precisions:
        can, others = engines_for(
            graphs, precision=precision, device=case.device, engines=case.engines or ENGINES
        )
        names += [(each, precision) for each in can]
        if precision == "fp32":
            cannot = others
    how = {"threads": case.threads, "device": case.device}
    failed = failures(graphs, names, functions=functions, seconds=seconds, **how)
    cannot |= {engine: str(why) for (engine, precision), why in failed.items() if precision == "fp32"}
    proved = [name for name in names if name not in failed]
    if not any(precision == "fp32" for _, precision in proved):
        listed = "; ".join(f"{engine}: {why}" for engine, why in cannot.items())
        raise NoEngineError(f"no engine can run {case.name} here: {listed}")
    sessions = {name: open_session(graphs, name[0], precision=name[1], **how) for name in proved}
    return Opened(sessions, {name: str(why) for name, why in failed.items()})
