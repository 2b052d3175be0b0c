"""The cost per frame that a search is to reach, and what that leaves for a delta frame."""

from dataclasses import dataclass


@dataclass(frozen=True)
class AmortisedTarget:
    """`cost` of the teacher's per frame at sequence length `length`: a key frame, then delta frames.

    Raises ValueError for a length without delta frames, and for a cost that the key frame alone exceeds.
    """

    cost: float
    length: int

    def __post_init__(self) -> None:
        if self.length < 2:
            raise ValueError(f"length {self.length} must be at least 2; 1 has no delta frames")
        if not 1 / self.length < self.cost <= 1:
            raise ValueError(
                f"cost {self.cost} at length {self.length} must lie above the key frame's own share, "
                f"{1 / self.length:.3f}, and be at most 1"
            )

    @property
    def delta_share(self) -> float:
        """What a delta frame may cost, as a share of the teacher's: (T·cost − 1) / (T − 1)."""
        return self.delta_share_of(self.cost)

    def delta_share_of(self, cost: float) -> float:
        """What a delta frame costs where a frame of such a sequence costs `cost`; shares of the teacher's."""
        return (self.length * cost - 1) / (self.length - 1)

    def cost_at(self, delta_share: float) -> float:
        """What a frame of such a sequence costs where a delta frame costs `delta_share`."""
        return (1 + (self.length - 1) * delta_share) / self.length
