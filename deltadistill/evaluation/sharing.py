"""Evaluation shared by several processes: whole batches each."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from deltadistill.processes import Group

Item = TypeVar("Item")


def share(batches: Sequence[Item], group: Group) -> list[Item]:
    """This process's part of the batches; each stays whole, since its composition decides the last bits."""
    return [batches[index] for index in group.share(len(batches))]


def turns(batches: Sequence[Item], group: Group) -> Iterator[list[Item]]:
    """The same, in as many turns as in every process: one batch each, or none in the last."""
    mine = share(batches, group)
    for turn in range(-(-len(batches) // group.size)):
        yield mine[turn : turn + 1]
