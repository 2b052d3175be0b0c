"""Precisions that the per-frame network is tried in, as many as there is time for."""

from collections.abc import Callable

from deltadistill.acceleration.budget import Budget
from deltadistill.acceleration.case import Case
from deltadistill.acceleration.narrow import with_int8
from deltadistill.exporting.running import Loaded

PRECISIONS = ("fp32", "bf16", "int8")
_NARROWING = 10.0  # times what a trial takes, at least, before time is spent on 8 bits


def precisions_to_try(
    case: Case, loaded: Loaded, budget: Budget, of_trial: float, tell: Callable[[str], None]
) -> list[str]:
    """Full precision first, and with "int8" graphs in 8 bits; what is left out is told.

    of_trial: seconds that a trial takes, as far as that is known.
    """
    precisions = list(case.precisions or PRECISIONS)
    if not budget.allows(of_trial):
        tell("the per-frame network at full precision alone: there is too little time")
        return precisions[:1]
    if "int8" in precisions and not _narrowed(case, loaded, budget, of_trial, tell):
        precisions.remove("int8")
    return precisions


def _narrowed(
    case: Case, loaded: Loaded, budget: Budget, of_trial: float, tell: Callable[[str], None]
) -> bool:
    """Whether there are graphs in 8 bits now."""
    if not budget.allows(_NARROWING * of_trial):
        tell("no graphs in 8 bits: there is too little time")
        return False
    try:
        with_int8(case, loaded)
    except ValueError as error:
        tell(f"no graphs in 8 bits: {error}")
        return False
    return True
