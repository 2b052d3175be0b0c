"""Sessions of a network in the engines that runners have, and that can run it here."""

from dataclasses import replace

from deltadistill.acceleration.case import Case
from deltadistill.exporting.running import Loaded
from deltadistill.runtime.engine import Session, engines_for, open_session


def open_sessions(case: Case, loaded: Loaded, precision: str) -> dict[str, Session]:
    """By engine; those that the user named, or all that run a runner's folder, without PyTorch.

    Raises ValueError, with the reasons, where none does so at full precision.
    """
    graphs = loaded.graphs if case.engines else replace(loaded.graphs, functions={})
    can, cannot = engines_for(graphs, precision=precision, device=case.device)
    names = [name for name in case.engines or can if name in can or name not in cannot]
    if not names and precision == "fp32":
        listed = "; ".join(f"{name}: {cannot[name]}" for name in case.engines or cannot)
        raise ValueError(f"no engine can run {case.name} here: {listed}")
    options = {"threads": case.threads, "precision": precision, "device": case.device}
    return {name: open_session(graphs, name, **options) for name in names}
