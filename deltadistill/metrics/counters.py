"""What counts over the batches of an evaluation: metrics of predictions, meters of consistency."""

from collections.abc import Iterable
from typing import Any, Protocol

from deltadistill.processes.group import Group


class Counter(Protocol):
    """Counts things whose order does not matter, so that batches may be shared out and put together again."""

    def state(self) -> Any | None:
        """All that was counted, as tensors and plain values; None for nothing."""

    def add(self, state: Any) -> None:
        """Count what another counter of the kind has counted, whose state this is."""


def add_up(counters: Iterable[Counter], group: Group) -> None:
    """Add to each counter what the other processes, which call this together, have counted in theirs."""
    counters = list(counters)
    if group.size == 1:
        return
    for rank, states in enumerate(group.all_of([counter.state() for counter in counters])):
        if rank != group.rank:
            add_states(counters, dict(enumerate(states)))


def states_of(counters: Iterable[Counter]) -> dict[int, Any]:
    """The states of the counters that have counted anything, by their place."""
    states = ((place, counter.state()) for place, counter in enumerate(counters))
    return {place: state for place, state in states if state is not None}


def add_states(counters: Iterable[Counter], states: dict[int, Any]) -> None:
    """Add states, by their place, to counters."""
    for place, counter in enumerate(counters):
        if states.get(place) is not None:
            counter.add(states[place])
