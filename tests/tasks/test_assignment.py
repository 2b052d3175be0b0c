"""The cheapest assignment: by hand, and against all there are."""

from itertools import permutations

import numpy as np
import pytest

from deltadistill.tasks.assignment import cheapest


def test_by_hand_the_first_row_gives_way():
    """Both rows want column 0: 1 + 9 with the first there, 3 + 2 with the second."""
    assert cheapest(np.array([[1.0, 3.0, 8.0], [2.0, 9.0, 9.0]])).tolist() == [1, 0]


def test_it_is_as_cheap_as_the_cheapest_of_all():
    draws = np.random.default_rng(0)
    for _ in range(100):
        rows = int(draws.integers(1, 5))
        costs = draws.normal(size=(rows, int(draws.integers(rows, 6))))
        ways = permutations(range(costs.shape[1]), rows)
        least = min(costs[range(rows), list(way)].sum() for way in ways)
        found = cheapest(costs)
        assert len(set(found.tolist())) == rows
        assert costs[range(rows), found].sum() == pytest.approx(least)


def test_nothing_is_assigned_to_nothing_and_too_much_is_refused():
    assert cheapest(np.zeros((0, 3))).tolist() == []
    with pytest.raises(ValueError, match="3 rows cannot have one of 2 columns each"):
        cheapest(np.zeros((3, 2)))
