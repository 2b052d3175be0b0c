import math
from pickle import PicklingError

import pytest

from deltadistill.preparation.workers import spread_out


@pytest.mark.parametrize(("workers", "chunk"), [(1, 1), (2, 1), (2, 3)])
def test_results_come_in_the_order_of_the_items(workers, chunk):
    results = spread_out(math.factorial, [4, 0, 3, 2, 5], workers=workers, chunk=chunk)
    assert list(results) == [24, 1, 6, 2, 120]


def test_one_worker_is_this_process_and_works_when_it_is_asked():
    done = []
    results = spread_out(lambda item: done.append(item) or item, [1, 2], workers=1)
    assert done == []
    assert next(results) == 1
    assert done == [1]


def test_several_workers_are_other_processes():
    with pytest.raises((PicklingError, AttributeError), match="pickle"):
        list(spread_out(lambda item: item, [1], workers=2))


@pytest.mark.parametrize("workers", [1, 2])
def test_the_error_of_an_item_is_raised_in_its_turn(workers):
    results = spread_out(math.factorial, [3, -1], workers=workers)
    assert next(results) == 6
    with pytest.raises(ValueError, match="negative"):
        next(results)
