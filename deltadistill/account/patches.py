"""Patch-wise execution of early layers (Lin et al., MCUNetV2, NeurIPS 2021): less memory for repeated work.

It needs no training and changes no output: the rival of a student with a lower peak.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from deltadistill.account.dataflow import Dataflow
from deltadistill.account.lifetimes import held_bytes
from deltadistill.account.memory import network_flow
from deltadistill.account.patch_regions import Early, early_parts

SIDES = (2, 3, 4, 5, 6, 7, 8)


@dataclass(frozen=True)
class PatchPlan:
    """The first layers of a network in sides × sides patches of the map behind them, the rest as a whole.

    layers: convolutions, poolings and the like that run so. until: name of the module behind which maps are
    whole. peak, peak_beside_inputs: bytes held at most, with the frame and without. macs: of a frame;
    repeated: those of them that compute again what a neighbour's patch has computed.
    """

    layers: int
    until: str
    sides: int
    peak: int
    peak_beside_inputs: int
    macs: int
    repeated: int


def patch_plans(
    network: nn.Module,
    inputs: Sequence[int] | Sequence[Tensor],
    *,
    sides: Iterable[int] = SIDES,
    run: Callable[..., object] | None = None,
) -> list[PatchPlan]:
    """Every way to run the first layers of a network patch by patch; none where its first layer cannot.

    inputs, run: as for `count_memory`, whose peak with lifetimes is that of `PatchPlan.peak` with nothing in
    patches. The frame is held while patches run, and the map that they make, whole; of a patch everything
    between, with what its windows reach beyond it. What overlaps is computed again, and not kept.
    sides: patches along each axis to try; more than the map has places are left out.
    """
    flow, _ = network_flow(network, inputs, run=run)
    return plans_of(flow, sides=sides)


def plans_of(flow: Dataflow, *, sides: Iterable[int] = SIDES) -> list[PatchPlan]:
    """The same of a graph."""
    held, last = held_bytes(flow), flow.last_reads()
    beside = [
        bytes_held - sum(flow.sizes[buffer] for buffer in flow.inputs if last[buffer] >= number)
        for number, bytes_held in enumerate(held)
    ]
    return [
        _plan(early, number, held[early.until + 1 :], beside[early.until + 1 :])
        for early in early_parts(flow)
        for number in sides
        if 2 <= number <= min(flow.shapes[early.output][2:])
    ]


def best_plan(plans: Iterable[PatchPlan], *, most_bytes: float | None = None) -> PatchPlan | None:
    """The plan of least work within a budget for the peak; without a budget, of the lowest peak.

    None where there is no such plan.
    """
    if most_bytes is None:
        return min(plans, key=lambda plan: (plan.peak, plan.macs, plan.sides), default=None)
    within = [plan for plan in plans if plan.peak <= most_bytes]
    return min(within, key=lambda plan: (plan.macs, plan.peak, plan.sides), default=None)


def _plan(early: Early, sides: int, rest: Sequence[int], rest_beside: Sequence[int]) -> PatchPlan:
    flow = early.flow
    rows, columns = early.needed(sides)
    patch = early.held(rows, columns) + flow.sizes[early.output]
    frame = sum(flow.sizes[buffer] for buffer in flow.inputs)
    once = sum(step.macs for step in early.steps)
    repeated = early.macs(rows, columns) - once
    return PatchPlan(
        layers=early.layers,
        until=early.steps[-1].module,
        sides=sides,
        peak=max([frame + patch, *rest]),
        peak_beside_inputs=max([patch, *rest_beside]),
        macs=sum(step.macs for step in flow.steps) + repeated,
        repeated=repeated,
    )
