"""Evaluation shared by several processes: whole batches each."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from deltadistill.processes import Group

Item = TypeVar("Item")


def turns(batches: Sequence[Item], group: Group) -> Iterator[list[Item]]:
    """This process's part of the batches in as many turns as in every process: one each, or none in the last.

    A batch stays whole, since its composition decides the last bits.
    """
    mine = [batches[index] for index in group.share(len(batches))]
    for turn in range(-(-len(batches) // group.size)):
        yield mine[turn : turn + 1]
