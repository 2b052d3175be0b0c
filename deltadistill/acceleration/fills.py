"""Ways to answer frames that are not computed: the last answer copied, or moved by flow of several kinds."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np

from deltadistill.acceleration.fidelity import Decoded
from deltadistill.acceleration.timing import FillCalls
from deltadistill.acceleration.trial import Trial
from deltadistill.runtime.between import Between, FlowForm
from deltadistill.runtime.filling import filler
from deltadistill.runtime.moving import can_move

FLOWS = (
    FlowForm(),
    FlowForm(chained=True),
    FlowForm(side=208),
    FlowForm(preset="medium", side=416, chained=True),
)


def fills_of(answer: Decoded) -> dict[str, Between]:
    """By name, for answers like this one, the cheapest first."""
    flows = FLOWS if can_move(answer) else ()
    moved = {f"moved by flow ({flow})": Between(kind="moved", flow=flow) for flow in flows}
    return {"copied": Between(kind="copied"), **moved}


def fill_calls(
    fills: Mapping[str, Between], frames: Sequence[np.ndarray], answer: Decoded
) -> dict[str, FillCalls]:
    """Calls that can be timed. frames: uint8 (h, w, 3) of one shot; answer: of the first of them."""
    return {name: _calls(between, frames, answer) for name, between in fills.items()}


def _calls(between: Between, frames: Sequence[np.ndarray], answer: Decoded) -> FillCalls:
    beginning, filling, later = filler(between), filler(between), cycle(frames[1:])
    filling.begin(frames[0], answer)
    return FillCalls(lambda: beginning.begin(frames[0], answer), lambda: filling.next_one(next(later)))


def best_fills(trials: Sequence[Trial]) -> dict[str, Between]:
    """Of those that were tried with frames in full: the fastest that moves, and the one that keeps most.

    At the shortest period, as computed frames are near; copies where nothing moves.
    """
    fixed = [trial for trial in trials if trial.kept and not trial.is_by_change]
    tried = [trial for trial in fixed if trial.kind == "moved"]
    tried = tried or [trial for trial in fixed if trial.kind == "copied"]
    if not tried:
        return {}
    nearest = min(min(trial.kept) for trial in tried)
    best = (
        max(tried, key=lambda trial: trial.speedups[nearest]),
        max(tried, key=lambda trial: trial.kept.get(nearest, 0.0)),
    )
    return {trial.name: trial.between for trial in best}
