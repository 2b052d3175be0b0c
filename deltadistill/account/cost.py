"""What answering frames costs: one Cost, of a frame, or amortised over a sequence or a video."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """MACs, milliseconds, and bytes kept for the next frame; None for what is not known.

    Costs of parts add up, and the sum of some frames' over their number is the cost of a frame. What is not
    known of one part is not known of the sum.
    """

    macs: float | None = None
    milliseconds: float | None = None
    bytes: float | None = None

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            _sum(self.macs, other.macs),
            _sum(self.milliseconds, other.milliseconds),
            _sum(self.bytes, other.bytes),
        )

    def __mul__(self, times: float) -> "Cost":
        return Cost(*(None if value is None else value * times for value in self._values))

    def __truediv__(self, frames: float) -> "Cost":
        return Cost(*(None if value is None else value / frames for value in self._values))

    @property
    def _values(self) -> tuple[float | None, ...]:
        return self.macs, self.milliseconds, self.bytes


NOTHING = Cost(0, 0, 0)


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def mean(costs: Sequence[Cost]) -> Cost:
    """The cost of a frame, amortised over those of some frames; ValueError without any."""
    if not costs:
        raise ValueError("no frame has a cost; the mean of none is not known")
    return sum(costs, NOTHING) / len(costs)


@dataclass(frozen=True)
class FrameCosts:
    """What a key frame costs, and what any other."""

    key: Cost
    delta: Cost

    def of_frame(self, *, is_key: bool) -> Cost:
        """The cost of one frame."""
        return self.key if is_key else self.delta

    def amortised(self, length: int) -> Cost:
        """The cost per frame of a sequence: a key frame, then length − 1 others; ValueError below 1."""
        if length < 1:
            raise ValueError(f"sequence length must be at least 1, got {length}")
        return (self.key + self.delta * (length - 1)) / length
