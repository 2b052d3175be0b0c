"""Counting over batches, shared by processes and kept part by part: an interrupted evaluation goes on."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from torch.utils._pytree import tree_leaves
from tqdm import tqdm

from deltadistill.metrics.counters import add_states, add_up, states_of
from deltadistill.processes.group import ALONE, Group
from deltadistill.processes.interruption import Interrupted, Interruption
from deltadistill.processes.kept_counts import Parts

Batch = TypeVar("Batch")
Counters = TypeVar("Counters")
Progress = Callable[[Sequence, int], Iterable]
"""Shows the progress of iterating over turns; the number says how many were done before."""

log = logging.getLogger(__name__)


def silent(turns: Sequence, done: int) -> Iterable:
    """Show nothing."""
    return turns


def batch_bar(title: str, group: Group = ALONE) -> Progress:
    """Show a bar in the first process."""

    def show(turns: Sequence, done: int) -> Iterable:
        total = done + len(turns)
        return tqdm(
            turns, title, total, initial=done, unit="batch", mininterval=1, disable=not group.is_first
        )

    return show


@dataclass(frozen=True)
class Counting:
    """How batches are counted, which decides no result.

    parts: where counts are kept. SIGINT, SIGTERM and SIGUSR1 keep them after the running batch and end the
        process (KeyboardInterrupt, or exit code 128 + number).
    group: processes that take the batches in turns; each gets all that was counted, the first one writes.
    """

    parts: Parts | None = None
    progress: Progress = silent
    group: Group = ALONE


ONCE = Counting()
"""Alone, without a word, and from the beginning where it was interrupted."""


def count_batches(
    batches: Sequence[Batch],
    empty: Callable[[], Counters],
    count: Callable[[Counters, Batch], None],
    how: Counting = ONCE,
) -> Counters:
    """Count every batch once, and return the counters, which are the same however it was interrupted.

    empty: makes new counters, in dicts and lists. count: counts a batch in such counters.
    """
    parts, progress, group = how.parts, how.progress, how.group
    counting = _Run(empty, count, parts, group)
    with Interruption(group) as interruption:
        try:
            counting.run(batches, interruption, progress)
        except Interrupted:
            counting.keep()
            group.wait()  # a process that ends takes the others with it
            log.warning("evaluation: %s after %d batches", interruption.came.name, counting.done)
            interruption.stop()
    add_up(tree_leaves(counting.counted), group)
    return counting.counted


@dataclass
class _Run(Generic[Counters, Batch]):
    """An evaluation under way.

    counted: by this process, and by the first one what parts held. fresh, numbers: what is in no part yet.
    """

    empty: Callable[[], Counters]
    count: Callable[[Counters, Batch], None]
    parts: Parts | None
    group: Group
    done: int = 0
    numbers: list[int] = field(default_factory=list)

    def __post_init__(self):
        self.counted, self.fresh = self.empty(), self.empty()

    def run(self, batches: Sequence[Batch], interruption: Interruption, progress: Progress) -> None:
        """Count the batches that are left; raises Interrupted where a signal asks for an end."""
        known = self._resume()
        left = [number for number in range(len(batches)) if number not in known]
        self.done = len(known)
        for turn in progress(list(self.group.turns(left)), self.done // self.group.size):
            for number in turn:
                self.count(self.fresh, batches[number])
                self.numbers.append(number)
            self.done = min(self.done + self.group.size, len(batches))
            interruption.agree()
            if self.group.largest(int(self.parts is not None and self.parts.is_due())):
                self.keep()
        self._take_over()

    def keep(self) -> None:
        """Write a part of what all processes have counted since the last one, where parts are kept."""
        if self.parts is None:
            return
        told = self.group.all_of((self.numbers, states_of(tree_leaves(self.fresh))))
        numbers = [number for some, _ in told for number in some]
        if numbers and self.group.is_first:
            self.parts.save(numbers, [states for _, states in told])
        self._take_over()

    def _take_over(self) -> None:
        add_states(tree_leaves(self.counted), states_of(tree_leaves(self.fresh)))
        self.fresh, self.numbers = self.empty(), []

    def _resume(self) -> set[int]:
        """Let the first process count what parts hold; return the numbers of their batches."""
        known: list[int] = []
        if self.parts is not None and self.group.is_first:
            for part in self.parts.load():
                known += part["batches"]
                for states in part["counted"]:
                    add_states(tree_leaves(self.counted), states)
        return set(self.group.of_first(known))
