"""Selections by extra cost and logit against all that there are."""

from itertools import combinations

import numpy as np
import pytest

from deltadistill.account.knapsack import greedy_selection, optimal_selection


def chosen(extras, capacity, *, least, logits):
    names = [f"block {n}" for n in range(len(extras))]
    found = optimal_selection(
        dict(zip(names, extras, strict=True)),
        capacity,
        least=least,
        logits=dict(zip(names, logits, strict=True)),
    )
    return sorted(names.index(name) for name in found)


def test_names_are_taken_in_their_order_as_long_as_they_fit():
    extras = {"a": 40.0, "b": 70.0, "c": 55.0, "d": 5.0, "e": 0.5}
    assert greedy_selection(extras, 100.0) == {"a", "c", "d"}  # 100 are filled to the last
    assert greedy_selection(extras, 39.0) == {"d", "e"}


def test_of_what_is_near_enough_the_most_probable_is_chosen():
    # 75 and 77 lie between 74 and 80; the first is the likelier, 85 the likeliest of all
    assert chosen([30, 45, 47, 55], 80, least=74, logits=[1, 2, 1, 9]) == [0, 1]
    assert chosen([30, 45, 47, 55], 80, least=76, logits=[1, 2, 1, 9]) == [0, 2]
    assert chosen([30, 45, 47, 55], 85.5, least=74, logits=[1, 2, 1, 9]) == [0, 3]


def test_where_nothing_is_near_enough_the_closest_below_is_chosen_whatever_the_gates_say():
    assert chosen([30, 40, 45], 80, least=79, logits=[-5, 9, -5]) == [0, 2]
    assert chosen([90, 100], 80, least=79, logits=[1, 1]) == []
    assert chosen([90, 30, 20], 80, least=79, logits=[9, -1, -2]) == [1, 2]


@pytest.mark.parametrize("seed", range(6))
def test_no_other_selection_is_more_probable(seed):
    draws = np.random.default_rng(seed)
    extras, logits = draws.integers(1, 40, 7).astype(float), draws.normal(size=7)
    capacity, least = 90.5, 84.0  # no sum is the capacity itself, which rounding may pass
    found = chosen(extras, capacity, least=least, logits=logits)
    assert least <= sum(extras[found]) <= capacity
    sets = [set(some) for count in range(8) for some in combinations(range(7), count)]
    within = [some for some in sets if least <= sum(extras[[*some]]) <= capacity]
    assert sum(logits[found]) == pytest.approx(max(sum(logits[[*some]]) for some in within))
