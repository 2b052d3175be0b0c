"""The MAC account of a network: a row per layer, totals per key frame, delta frame and sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deltadistill.account.operators import Convention

Chosen = Literal["uncompressed", "compressed", "rule"]
Frames = Literal["every", "key", "delta"]


@dataclass(frozen=True)
class LayerMacs:
    """MACs of one layer within one frame, summed over its calls.

    Shapes include the batch axis and are those of the first call. `uncompressed_macs` and
    `compressed_macs` are the candidates' on a delta frame of a converted block, None where there is no
    such candidate; the `…_key_macs` are what a candidate adds to a key frame (non-linear students only).
    `rule_macs` and `rule_key_macs` are those of a block whose design has no candidates. `chosen` names the
    candidate that delta frames use, or "rule" where there is none; None for a layer that was not converted.
    """

    name: str
    operator: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    calls: int
    teacher_macs: int
    uncompressed_macs: int | None = None
    compressed_macs: int | None = None
    chosen: Chosen | None = None
    kernel: tuple[int, ...] | None = None
    stride: tuple[int, ...] | None = None
    groups: int | None = None
    uncompressed_key_macs: int = 0
    compressed_key_macs: int = 0
    rule_macs: int | None = None
    rule_key_macs: int = 0

    @property
    def key_macs(self) -> int:
        """MACs on a key frame: the teacher's, and what the chosen candidate prepares for delta frames."""
        prepared = {
            "compressed": self.compressed_key_macs,
            "uncompressed": self.uncompressed_key_macs,
            "rule": self.rule_key_macs,
        }
        return self.teacher_macs + (prepared[self.chosen] if self.chosen else 0)

    @property
    def delta_macs(self) -> int:
        """MACs on a delta frame: the chosen candidate's, or all of a layer that was not converted."""
        if self.chosen is None:
            return self.teacher_macs
        macs = {
            "compressed": self.compressed_macs,
            "uncompressed": self.uncompressed_macs,
            "rule": self.rule_macs,
        }[self.chosen]
        assert macs is not None, "the chosen candidate is there"
        return macs


@dataclass(frozen=True)
class Uncounted:
    """Work that the convention does not count: an operator's calls and output elements in one frame.

    `frames` tells on which frames: "every", "key" (inside teachers) or "delta" (inside students, and
    the subtraction and addition of the delta).
    """

    operator: str
    calls: int
    elements: int
    frames: Frames


@dataclass(frozen=True)
class MacTable:
    """What a network costs, in MACs per frame, under one convention.

    on_values: counted on the values of one input, as the network's shapes depend on them: on another input
        it may cost otherwise.
    """

    convention: Convention
    rows: tuple[LayerMacs, ...]
    uncounted: tuple[Uncounted, ...]
    on_values: bool = False

    def __repr__(self) -> str:
        """Totals alone: a network has hundreds of rows."""
        return (
            f"MacTable({len(self.rows)} layers; MACs per frame: teacher {self.teacher:,}, key {self.key:,}, "
            f"delta {self.delta:,}; convention {self.convention!r}; "
            f"{len(self.uncounted)} kinds of operator uncounted)"
        )

    @property
    def teacher(self) -> int:
        """MACs of a frame of the network before its conversion."""
        return sum(row.teacher_macs for row in self.rows)

    @property
    def key(self) -> int:
        """MACs of a key frame: every teacher, and what non-linear students make of the key frame."""
        return sum(row.key_macs for row in self.rows)

    @property
    def delta(self) -> int:
        """MACs of a delta frame: chosen candidates, and whatever was not converted."""
        return sum(row.delta_macs for row in self.rows)

    def amortised(self, length: int) -> float:
        """Return the MACs per frame of a sequence of `length` frames: one key frame, then delta frames."""
        if length < 1:
            raise ValueError(f"sequence length must be at least 1, got {length}")
        return (self.key + (length - 1) * self.delta) / length
