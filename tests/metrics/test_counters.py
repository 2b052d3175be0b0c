"""Counts of several processes and of interrupted evaluations, put together."""

import pytest

from deltadistill.metrics.counters import add_states, add_up, states_of
from deltadistill.processes.group import ALONE


class Sum:
    def __init__(self, *numbers):
        self.numbers = list(numbers)

    def state(self):
        return list(self.numbers) or None

    def add(self, state):
        self.numbers += state


class GroupOfThree:
    """What process `rank` sees; each has three counters, of which some have counted nothing."""

    size = 3
    states = ([[1], None, [2, 3]], [[10], [20], None], [None, None, [300]])

    def __init__(self, rank):
        self.rank = rank

    def all_of(self, own):
        assert own == self.states[self.rank]
        return self.states


class GroupOfTwo(GroupOfThree):
    size = 2
    states = ([[1], None, [2, 3]], [[10], [20], None])


@pytest.mark.parametrize("rank", [0, 1])
def test_two_processes_are_several(rank):
    counters = [Sum(*(state or ())) for state in GroupOfTwo.states[rank]]
    add_up(counters, GroupOfTwo(rank))
    assert [sorted(counter.numbers) for counter in counters] == [[1, 10], [20], [2, 3]]


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_every_process_ends_with_the_counts_of_all_and_its_own_once(rank):
    counters = [Sum(*(state or ())) for state in GroupOfThree.states[rank]]
    add_up(iter(counters), GroupOfThree(rank))
    assert [sorted(counter.numbers) for counter in counters] == [[1, 10], [20], [2, 3, 300]]


def test_one_process_adds_nothing():
    counters = [Sum(1), Sum()]
    add_up(counters, ALONE)
    assert [counter.numbers for counter in counters] == [[1], []]


def test_states_are_kept_by_place_and_added_to_what_is_there():
    counters = Sum(1), Sum(), Sum(4)
    assert states_of(counters) == {0: [1], 2: [4]}
    add_states(counters, {1: [2], 2: [5]})
    assert [counter.numbers for counter in counters] == [[1], [2], [4, 5]]
