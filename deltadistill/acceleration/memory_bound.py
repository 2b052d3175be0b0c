"""A bound on what a stream holds at once: what a network needs, and what there is to say where it is more."""

from deltadistill.acceleration.case import Case
from deltadistill.account.memory_table import MIB
from deltadistill.exporting.running import Loaded
from deltadistill.exporting.stream_memory import memory_of


def needed_mib(case: Case, loaded: Loaded) -> float | None:
    """The peak of a stream, weights apart, with the maps that are kept; None without a bound."""
    if case.memory_mib is None:
        return None
    return memory_of(loaded.functions, case.example()).peak / MIB


def require_plain_fits(case: Case, needed: float | None) -> None:
    """Raise ValueError where the per-frame network needs more than the bound, and with it every runner."""
    if needed is not None and case.memory_mib is not None and needed > case.memory_mib:
        raise ValueError(
            f"a frame of {case.name} takes {needed:.2f} MiB beside its weights, and {case.memory_mib:g} MiB "
            "are given (memory_mib); students only add maps to that, so nothing fits: give more, smaller "
            "frames, or a network with smaller maps (docs/memory.md, Students with a lower peak)"
        )


def beyond(case: Case, needed: float | None) -> str:
    """Why a delta network that needs so much is not tried; "" where it fits."""
    if needed is None or case.memory_mib is None or needed <= case.memory_mib:
        return ""
    return f"a stream takes {needed:.2f} MiB beside its weights; {case.memory_mib:g} MiB are given"
