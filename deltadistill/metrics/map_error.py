"""How far maps of numbers are from others: their relative squared error over many frames."""

from __future__ import annotations

from torch import Tensor


class MapError:
    """Adds up ‖y − t‖² and ‖t‖² of frames; `agreement` is 1 − the one over the other."""

    def __init__(self, error: float = 0.0, energy: float = 0.0, frames: int = 0) -> None:
        self.error, self.energy, self.frames = error, energy, frames

    def update(self, prediction: Tensor, reference: Tensor) -> None:
        """Count a frame's map (C, h, w) against what it should be; ValueError for another shape."""
        if prediction.shape != reference.shape:
            raise ValueError(
                f"a map of {tuple(prediction.shape)} cannot be compared with {tuple(reference.shape)}"
            )
        reference = reference.double()
        self.error += float((prediction.double() - reference).square().sum())
        self.energy += float(reference.square().sum())
        self.frames += 1

    def agreement(self) -> float:
        """1 where maps are the same, 0 where they are no nearer than maps of zeros; NaN before the first."""
        if not self.frames:
            return float("nan")
        return max(0.0, 1 - self.error / self.energy) if self.energy else float(self.error == 0)

    def percent(self) -> float:
        """The same in percent."""
        return 100 * self.agreement()

    def coverage_percent(self) -> float:
        """All of what is compared counts; NaN before the first."""
        return 100.0 if self.frames else float("nan")

    def state(self) -> tuple[float, float, int] | None:
        """All that was counted, or None where that is nothing."""
        return (self.error, self.energy, self.frames) if self.frames else None

    def add(self, state: tuple[float, float, int]) -> None:
        """Count what another one has counted, whose state this is."""
        error, energy, frames = state
        self.error, self.energy, self.frames = self.error + error, self.energy + energy, self.frames + frames

    def __add__(self, other: MapError) -> MapError:
        return MapError(self.error + other.error, self.energy + other.energy, self.frames + other.frames)
