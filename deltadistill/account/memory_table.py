"""The memory account of a network: a row per operator in the order of running, and the two peaks."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True)
class StepMemory:
    """Bytes around one operator call.

    name: of the module that called it. read, made: its inputs and outputs; made is 0 where it works in place.
    held: of all buffers that are held while it runs (`account.lifetimes`), the network's inputs among them;
    held_inputs: of those. published: as `account.published_memory` counts a layer; None for what is none
    there.
    """

    name: str
    operator: str
    read: int
    made: int
    held: int
    held_inputs: int
    published: int | None

    @property
    def held_beside_inputs(self) -> int:
        """What is held beside the network's inputs: they may lie in the caller's memory."""
        return self.held - self.held_inputs


@dataclass(frozen=True)
class MemoryTable:
    """What one frame needs, in bytes: the curve over the graph, weights apart.

    rows: in the order of running. weights: bytes of parameters and buffers. inputs: of a frame, or of all
    that forward takes. on_values: counted on the values of one input, as the network's shapes depend on them.
    """

    rows: tuple[StepMemory, ...]
    weights: int
    inputs: int
    on_values: bool = False

    def __repr__(self) -> str:
        """The peaks alone: a network has hundreds of rows."""
        return (
            f"MemoryTable({len(self.rows)} operators; peak with lifetimes {self.peak / MIB:.2f} MiB at "
            f"{self.peak_row.name}, as published {self.published_peak / MIB:.2f} MiB at "
            f"{self.published_row.name}; weights {self.weights / MIB:.2f} MiB)"
        )

    @property
    def peak_row(self) -> StepMemory:
        """The first operator at which the most is held."""
        return max(self.rows, key=lambda row: row.held)

    @property
    def peak(self) -> int:
        """The most that is held at once, with lifetimes."""
        return self.peak_row.held

    @property
    def peak_beside_inputs(self) -> int:
        """The most that is held at once beside the network's inputs."""
        return max(row.held_beside_inputs for row in self.rows)

    @property
    def published_row(self) -> StepMemory:
        """The first layer with the largest sum, as published."""
        return max(self.rows, key=lambda row: row.published or 0)

    @property
    def published_peak(self) -> int:
        """The largest sum of a layer, as published."""
        return self.published_row.published or 0
