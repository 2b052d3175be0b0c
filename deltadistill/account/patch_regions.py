"""The first layers of a network patch by patch: what a patch of the last early map needs of the maps before.

A patch is computed from the frame up to the map behind the last early layer, and written into it; then the
next is. Patches share what their windows overlap in (the halo), which each computes for itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from deltadistill.account.dataflow import Dataflow, Step
from deltadistill.account.lifetimes import held_bytes
from deltadistill.account.windows import Interval, hull

Needed = dict[int, Interval]
"""Rows, or columns, of buffers."""


@dataclass(frozen=True)
class Early:
    """The steps of a graph up to number `until`; of what they make, the rest needs `output` alone."""

    flow: Dataflow
    until: int
    output: int

    @property
    def steps(self) -> list[Step]:
        """The early steps."""
        return self.flow.steps[: self.until + 1]

    @property
    def layers(self) -> int:
        """How many of them are layers, such as convolutions and poolings."""
        return sum(step.kind == "layer" for step in self.steps)

    def needed(self, sides: int) -> tuple[list[Needed], list[Needed]]:
        """For each row of patches the rows, and for each column of patches the columns, of all buffers."""
        return self._along(0, sides), self._along(1, sides)

    def _along(self, axis: int, sides: int) -> list[Needed]:
        size = self.flow.shapes[self.output][2 + axis]
        borders = [number * size // sides for number in range(sides + 1)]
        return [self._behind(axis, made) for made in pairwise(borders)]

    def _behind(self, axis: int, made: Interval) -> Needed:
        """What is needed of every buffer for the places `made` of the output."""
        needed = {self.output: made}
        for step in reversed(self.steps):
            asked = hull([needed[buffer] for buffer in (*step.writes, *step.changed) if buffer in needed])
            assert step.window is not None  # early_parts ends before
            for buffer in step.reads:
                read = step.window[axis].read_for(asked, self.flow.shapes[buffer][2 + axis])
                needed[buffer] = hull([read, needed.get(buffer, (0, 0))])
        return needed

    def held(self, rows: list[Needed], columns: list[Needed]) -> int:
        """The most that a patch holds beside the frame and the output, bytes; each part as its largest is."""
        outputs = self._laid_into_output(rows, columns)
        down, across = (_largest(parts) for parts in (rows, columns))
        sizes = [
            self._size(buffer, down[buffer], across[buffer])
            if buffer in down and buffer not in (*outputs, *self.flow.inputs)
            else 0
            for buffer in range(len(self.flow.sizes))
        ]
        return max(held_bytes(replace(self._alone, sizes=sizes)))

    def _size(self, buffer: int, down: int, across: int) -> int:
        height, width = self.flow.shapes[buffer][2:]
        return self.flow.sizes[buffer] * down * across // (height * width)

    @cached_property
    def _alone(self) -> Dataflow:
        return replace(self.flow, steps=self.steps, outputs=(self.output,))

    def _laid_into_output(self, rows: list[Needed], columns: list[Needed]) -> set[int]:
        """The output, and buffers that become it in place and need no more of themselves than it has."""
        last, found = self._alone.last_reads(), {self.output}
        parts = [*rows, *columns]
        for number, step in reversed(list(enumerate(self.steps))):
            if step.kind == "layer" or not found.intersection(step.writes):
                continue
            dying = [
                buffer
                for buffer in sorted(set(step.reads) - set(self.flow.inputs))
                if last[buffer] == number and all(part[buffer] == part[self.output] for part in parts)
            ]
            whole = sum(self.flow.sizes[buffer] for buffer in step.writes)
            alike = [buffer for buffer in dying if self.flow.sizes[buffer] == whole]
            found.update(dying if step.kind == "concatenation" else alike[:1])
        return found

    def macs(self, rows: list[Needed], columns: list[Needed]) -> int:
        """Multiply-accumulates of the early steps over all patches."""
        return sum(self._macs(step, rows, columns) for step in self.steps if step.macs)

    def _macs(self, step: Step, rows: list[Needed], columns: list[Needed]) -> int:
        buffer = step.writes[0]
        height, width = self.flow.shapes[buffer][2:]
        made = [sum(_length(part.get(buffer, (0, 0))) for part in parts) for parts in (rows, columns)]
        return step.macs * made[0] * made[1] // (height * width)


def early_parts(flow: Dataflow) -> Iterator[Early]:
    """Every beginning of a graph that can run patch by patch: local layers, behind which one map is left.

    A beginning ends before the first step that sees more than a window of its maps, such as a mean over all
    places, a view of other axes, or an upsampling. None for graphs of several inputs.
    """
    last, made = flow.last_reads(), set[int]()
    if len(flow.inputs) != 1:
        return
    for number, step in enumerate(flow.steps):
        if step.window is None or set(step.changed).intersection(flow.inputs):
            return
        made.update(step.writes)
        left = [buffer for buffer in made if last[buffer] > number]
        if len(left) == 1 and not _goes_on(flow, number, left[0]):
            yield Early(flow, number, left[0])


def _goes_on(flow: Dataflow, number: int, left: int) -> bool:
    """Whether the next step works on each element of the map alone, and so belongs to this layer."""
    following = flow.steps[number + 1 : number + 2]
    return any(step.kind == "pointwise" and step.window and step.reads == (left,) for step in following)


def _largest(parts: list[Needed]) -> dict[int, int]:
    """Of every buffer the most rows, or columns, that a patch needs."""
    return {buffer: max(_length(part[buffer]) for part in parts) for buffer in parts[0]}


def _length(interval: Interval) -> int:
    return max(0, interval[1] - interval[0])
