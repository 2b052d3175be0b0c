"""Steps that overlap: order, bounds, errors and their end."""

import threading

import pytest

from deltadistill.video.ahead import Ahead
from deltadistill.video.pipelined import Pipelined


def test_items_come_in_order_through_all_steps():
    with Pipelined(range(20), {"double": lambda n: 2 * n, "add": lambda n: n + 1}) as results:
        assert list(results) == [2 * n + 1 for n in range(20)]
    assert list(results.spent) == ["reading", "double", "add"]
    assert all(seconds >= 0 for seconds in results.spent.values())


def test_no_more_items_are_made_than_may_wait():
    made, enough = [], threading.Event()

    def items():
        for number in range(100):
            made.append(number)
            if number == 3:
                enough.set()
            yield number

    ahead = Ahead(items(), ahead=3)
    assert enough.wait(5)
    assert not threading.Event().wait(0.2)
    assert len(made) == 4  # three wait, the fourth finds no room
    ahead.close()
    assert len(made) <= 5


@pytest.mark.parametrize("where", ["reading", "step"])
def test_an_error_comes_after_the_items_before_it(where):
    def items():
        yield from (1, 2)
        if where == "reading":
            raise ValueError("no more")
        yield 3

    def step(number):
        if number == 3:
            raise ValueError("no more")
        return number

    with Pipelined(items(), {"step": step}) as results:
        iterator = iter(results)
        assert [next(iterator), next(iterator)] == [1, 2]
        with pytest.raises(ValueError, match="no more"):
            next(iterator)


def test_closing_early_ends_every_thread_and_closes_what_is_read():
    closed = threading.Event()

    def items():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    before = threading.active_count()
    with Pipelined(items(), {"a": str, "b": str}) as results:
        assert next(iter(results)) == "0"
    assert closed.is_set()
    assert threading.active_count() == before


def test_steps_overlap():
    """Each of two steps waits for the other one to have begun with its neighbour."""
    second_has_one, first_has_next = threading.Event(), threading.Event()

    def first(number):
        if number == 1:
            first_has_next.set()
            assert second_has_one.wait(5)
        return number

    def second(number):
        if number == 0:
            second_has_one.set()
            assert first_has_next.wait(5)
        return number

    with Pipelined(range(2), {"first": first, "second": second}) as results:
        assert list(results) == [0, 1]
