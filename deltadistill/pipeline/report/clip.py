"""What pictures of any task show: a clip with its variants' predictions, and one small picture of it."""

from dataclasses import dataclass

import numpy as np

from deltadistill.pipeline.results.variants import Role, Variants, called, leading


@dataclass(frozen=True)
class Tile:
    """One picture, what it shows in words, and a line of text below it."""

    uri: str
    alt: str
    note: str = ""


@dataclass(frozen=True)
class Clip:
    """Images (F, H, W, 3) uint8, what is true of each frame or None, and predictions of each variant.

    ``period`` is the sequence length of the streams: frames 0, period, 2 period … are key frames.
    ``frames_per_second`` is the rate at which the clip was taken, where its data set tells times.
    """

    clip: str
    period: int
    images: np.ndarray
    truths: object | None
    predictions: dict[str, np.ndarray]
    variants: Variants
    frames_per_second: float | None = None

    @property
    def has_truth(self) -> bool:
        """Whether there is something to compare predictions with."""
        return self.truths is not None

    @property
    def teacher(self) -> str:
        """The variant that stands for the truth where there is none."""
        return leading(self.variants, "teacher")

    def distance(self, frame: int) -> int:
        """Frames since the last key frame."""
        return frame % self.period

    def standing_for(self, roles: tuple[Role, ...]) -> dict[str, str]:
        """The variants that stand for roles and have predictions here, with their labels, in that order."""
        leaders = {leading(self.variants, role): called(self.variants, role) for role in roles}
        return {name: label for name, label in leaders.items() if name in self.predictions}

    def label(self, name: str) -> str:
        """What a variant is called."""
        return self.variants[name].label
