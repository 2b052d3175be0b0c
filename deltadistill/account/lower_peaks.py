"""Ways to a lower peak of a frame, side by side: early layers patch by patch, and poolings moved earlier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from deltadistill.account.lifetimes import held_bytes
from deltadistill.account.macs import count_macs
from deltadistill.account.memory import count_memory, network_flow
from deltadistill.account.memory_table import MIB
from deltadistill.account.patches import PatchPlan, best_plan, plans_of
from deltadistill.models.pool_earlier import pool_earlier, sampling_places

FACTORS = (2, 4, 8)
_NOTHING_FROM_PATCHES = "the peak is not within first layers that see windows of their maps alone"
_REFUSALS = (ValueError, RuntimeError, TypeError, AssertionError, IndexError, NotImplementedError)


@dataclass(frozen=True)
class LowerPeak:
    """A way to a lower peak with lifetimes, and what it costs.

    way: "patches": no training, the same output; "pooling": a student that samples down `factor` times
    earlier and has to be trained. within: the budget that patches are to keep, bytes; None: as low as it
    gets. peak: bytes; macs: multiply-accumulates; both None where there is a `problem`. plan: of patches.
    """

    way: str
    factor: int | None = None
    within: float | None = None
    peak: int | None = None
    macs: int | None = None
    plan: PatchPlan | None = None
    problem: str | None = None


def lower_peaks(
    network: nn.Module,
    size: Sequence[int],
    *,
    budget: float | None = None,
    run: Callable[..., object] | None = None,
) -> list[LowerPeak]:
    """What patches reach at best, within `budget` bytes, and within each peak that earlier pooling reaches.

    size: of a frame, (C, H, W). run: as for `count_memory`; students are run by it too.
    """
    flow = network_flow(network, size, run=run)[0]
    as_it_is = max(held_bytes(flow))
    plans = [plan for plan in plans_of(flow) if plan.peak < as_it_is]
    found = [_by_patches(plans, None)]
    if budget is not None:
        found.append(_by_patches(plans, budget))
    for student in _by_pooling(network, size, run):
        found.append(student)
        if student.peak is not None:
            found.append(_by_patches(plans, student.peak))
    return found


def _by_patches(plans: Sequence[PatchPlan], within: float | None) -> LowerPeak:
    plan = best_plan(plans, most_bytes=within)
    if plan is not None:
        return LowerPeak("patches", within=within, peak=plan.peak, macs=plan.macs, plan=plan)
    lowest = best_plan(plans)
    problem = f"{lowest.peak / MIB:.3f} MiB is as low as it gets" if lowest else _NOTHING_FROM_PATCHES
    return LowerPeak("patches", within=within, problem=problem)


def _by_pooling(
    network: nn.Module, size: Sequence[int], run: Callable[..., object] | None
) -> list[LowerPeak]:
    try:
        sampling_places(network, size)
    except _REFUSALS as error:  # it does not run on one tensor of frames without values
        return [LowerPeak("pooling", factor, problem=_first_line(error)) for factor in FACTORS]
    return [_pooled(network, factor, size, run) for factor in FACTORS]


def _pooled(
    network: nn.Module, factor: int, size: Sequence[int], run: Callable[..., object] | None
) -> LowerPeak:
    try:
        student = pool_earlier(network, factor, size=size)
        peak = count_memory(student, size, run=run).peak
        macs = count_macs(student, size, run=run).teacher
    except _REFUSALS as error:
        return LowerPeak("pooling", factor, problem=_first_line(error))
    return LowerPeak("pooling", factor, peak=peak, macs=macs)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
