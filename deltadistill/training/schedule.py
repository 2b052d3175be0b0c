"""The course of the learning rate: a multiplier of its highest value, step by step."""

import math

_WARM_UP, _START, _END = 0.3, 0.04, 1e-4


def multiplier(name: str, step: int, steps: int, *, power: float = 0.9) -> float:
    """Share of the highest learning rate at `step` of `steps` (0 ≤ step < steps).

    one_cycle rises from 0.04 to 1 over the first 30 % of the steps and falls to 0.0001, both along a
    cosine; poly is (1 − step / steps)^power; constant is 1.
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
    raise ValueError(f"schedule {name!r} is unknown; allowed: 'one_cycle', 'poly', 'constant'")


def _cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2
