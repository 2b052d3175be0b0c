"""The course of the learning rate: a multiplier of its highest value, step by step."""

import math
from collections.abc import Sequence

_WARM_UP, _START, _END = 0.3, 0.04, 1e-4
_DROP = 0.1  # what a drop of the schedule "step" leaves


def multiplier(name: str, step: int, steps: int, *, power: float = 0.9, drops: Sequence[float] = ()) -> float:
    """Share of the highest learning rate at `step` of `steps` (0 ≤ step < steps).

    one_cycle rises from 0.04 to 1 over the first 30 % of the steps and falls to 0.0001, both along a
    cosine; poly is (1 − step / steps)^power; step falls to a tenth after each share `drops` of the steps;
    constant is 1.
    """
    done = step / max(steps, 1)
    if name == "constant":
        return 1.0
    if name == "poly":
        return (1 - done) ** power
    if name == "one_cycle":
        if done < _WARM_UP:
            return _cosine(_START, 1.0, done / _WARM_UP)
        return _cosine(1.0, _END, (done - _WARM_UP) / (1 - _WARM_UP))
    if name == "step":
        return _DROP ** sum(step >= round(share * steps) for share in drops)
    raise ValueError(f"schedule {name!r} is unknown; allowed: 'one_cycle', 'poly', 'step', 'constant'")


def annealed(highest: float, last: float, step: int, steps: int) -> float:
    """A learning rate that falls from `highest` to 0 along a cosine, from what it was at the step before.

    To the bit PyTorch's CosineAnnealingLR, which goes from step to step too.
    """
    if step == 0:
        return highest
    now, before = (1 + math.cos(math.pi * done / steps) for done in (step, step - 1))
    return now / before * last


def _cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2
