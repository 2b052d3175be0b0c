"""Peak memory as the published tables of ReDistill count it: a layer's input and output, and the shortcut.

For each layer of a residual block their account adds to its input and output what the block's shortcut needs:
the block's input, or the input and output of the shortcut's own layer, although that does not run at the same
time and may read the same input. Gates (squeeze and excitation) are blocks of this kind too, and blocks
within blocks add up. What else is held meanwhile, such as the skip connections of a U-Net or the parts of a
concatenation, is counted once. Activations and batch norm are not layers; neither are shortcuts.
"""

from __future__ import annotations

from dataclasses import dataclass

from deltadistill.account.dataflow import Dataflow, Step
from deltadistill.account.lifetimes import made_by


@dataclass(frozen=True)
class _Join:
    """A sum or product of two paths from one buffer: the longer one's layers, and what the shortcut costs."""

    main: int  # bits of steps
    shortcut: int  # bits of steps
    cost: int
    buffers: frozenset[int]  # what the cost stands for


def published_bytes(flow: Dataflow) -> list[int | None]:
    """Bytes of each step that is a layer of a main path; None for all others."""
    last = flow.last_reads()
    own = [_in_and_out(flow, step, last) for step in flow.steps]
    joins = _Paths(flow, own).joins
    shortcuts = {number for join in joins for number in _bits(join.shortcut)}
    there = {buffer for buffer in flow.inputs if last[buffer] > 0}
    found: list[int | None] = []
    for number, step in enumerate(flow.steps):
        is_layer = step.kind == "layer" and number not in shortcuts
        found.append(own[number] + _beside(flow, number, joins, there) if is_layer else None)
        there = {buffer for buffer in (*there, *step.writes) if last[buffer] > number + 1}
    return found


def _in_and_out(flow: Dataflow, step: Step, last: list[int]) -> int:
    return step.read_bytes + sum(flow.sizes[buffer] for buffer in made_by(step, last))


def _beside(flow: Dataflow, number: int, joins: list[_Join], there: set[int]) -> int:
    """What a layer's shortcuts cost, and what else is held meanwhile, of the buffers that are `there`."""
    around = [join for join in joins if join.main >> number & 1]
    counted = set(flow.steps[number].reads).union(*(join.buffers for join in around))
    return sum(join.cost for join in around) + sum(flow.sizes[buffer] for buffer in there - counted)


class _Paths:
    """Which steps and buffers each buffer comes from, as bits, and the joins that these show."""

    def __init__(self, flow: Dataflow, own: list[int]) -> None:
        self._flow, self._own = flow, own
        self._steps = [0] * len(flow.sizes)  # of a buffer: steps it comes from
        self._buffers = [1 << buffer for buffer in range(len(flow.sizes))]  # and buffers, itself among them
        self._sources: list[int] = []  # of a step: buffers it comes from
        self.joins: list[_Join] = []
        for number, step in enumerate(flow.steps):
            self._follow(number, step)

    def _follow(self, number: int, step: Step) -> None:
        if step.kind == "pointwise" and len(step.reads) == 2 and (join := self._join(*step.reads)):
            self.joins.append(join)
        steps, buffers = 1 << number, 0
        for buffer in step.reads:
            steps |= self._steps[buffer]
            buffers |= self._buffers[buffer]
        self._sources.append(buffers)
        for buffer in (*step.writes, *step.changed):
            self._steps[buffer] |= steps
            self._buffers[buffer] |= buffers

    def _join(self, one: int, other: int) -> _Join | None:
        """The join of two buffers; None where nothing parts, or no path is the shorter one."""
        common = self._buffers[one] & self._buffers[other]
        if not common:
            return None
        fork = common.bit_length() - 1  # the latest
        ends = sorted((one, other), key=lambda buffer: self._layers(buffer, fork).bit_count())
        shortcut, main = (self._layers(buffer, fork) for buffer in ends)
        if shortcut.bit_count() == main.bit_count():
            return None
        costs = [self._own[number] for number in _bits(shortcut)]
        between = self._buffers[ends[0]] & ~self._buffers[fork] | 1 << fork
        return _Join(main, shortcut, max(costs, default=self._flow.sizes[ends[0]]), frozenset(_bits(between)))

    def _layers(self, buffer: int, fork: int) -> int:
        """The layers between the fork and a buffer, as bits."""
        return sum(
            1 << number
            for number in _bits(self._steps[buffer])
            if self._flow.steps[number].kind == "layer" and self._sources[number] >> fork & 1
        )


def _bits(number: int) -> list[int]:
    return [place for place in range(number.bit_length()) if number >> place & 1]
