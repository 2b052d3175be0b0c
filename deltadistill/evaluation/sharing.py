"""Evaluation shared by several processes: whole batches each, and counts that add up to those of one."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import torch

from deltadistill.metrics.miou import ConfusionMatrix
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


def add_up(matrices: Iterable[ConfusionMatrix], group: Group) -> None:
    """Add to each matrix what the other processes have counted, in place; integers, so that it is exact."""
    matrices = list(matrices)
    total = group.total(torch.stack([matrix.counts for matrix in matrices]))
    for matrix, counts in zip(matrices, total, strict=True):
        matrix.counts = counts
