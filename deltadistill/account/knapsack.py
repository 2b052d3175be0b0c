"""Which blocks get the dearer candidate: a knapsack of their extra costs, over the gates' logits."""

from collections.abc import Mapping

import numpy as np

_BINS = 20_000  # a block's share of the capacity is rounded up to 1 / _BINS


def greedy_selection(extras: Mapping[str, float], capacity: float) -> set[str]:
    """Take names in their order as long as their extra cost fits into what is left."""
    taken = set()
    for name, extra in extras.items():
        if extra <= capacity:
            taken.add(name)
            capacity -= extra
    return taken


def optimal_selection(
    extras: Mapping[str, float], capacity: float, *, least: float, logits: Mapping[str, float]
) -> set[str]:
    """Choose names whose extra costs lie between `least` and `capacity`, with the largest sum of logits.

    The sum of the logits of the blocks left uncompressed is the logarithm of that choice's probability
    under the gates, up to a constant. Where no sum lies in that range, the choice that comes closest
    below `capacity`. Exact but for the rounding of costs, which never lets a choice exceed `capacity`.
    """
    names = [name for name, extra in extras.items() if extra <= capacity]
    value = np.full(_BINS + 1, -np.inf)  # best sum of logits by filled bins; spent: its cost
    value[0], spent = 0.0, np.zeros(_BINS + 1)
    took = np.zeros((len(names), _BINS + 1), dtype=bool)
    bins = {name: int(np.ceil(extras[name] / capacity * _BINS)) for name in names}
    for row, name in enumerate(names):
        with_name = np.full_like(value, -np.inf)
        with_name[bins[name] :] = value[: len(value) - bins[name]] + logits[name]
        took[row] = with_name > value
        moved = np.roll(spent, bins[name]) + extras[name]
        value, spent = np.where(took[row], with_name, value), np.where(took[row], moved, spent)
    return _trace(took, names, bins, _best_bin(value, spent, least))


def _best_bin(value: np.ndarray, spent: np.ndarray, least: float) -> int:
    reached = np.isfinite(value)
    within = reached & (spent >= least)
    if within.any():
        return int(np.where(within, value, -np.inf).argmax())
    return int(np.where(reached, spent, -np.inf).argmax())


def _trace(took: np.ndarray, names: list[str], bins: Mapping[str, int], place: int) -> set[str]:
    chosen = set()
    for row in reversed(range(len(names))):
        if took[row, place]:
            chosen.add(names[row])
            place -= bins[names[row]]
    return chosen
